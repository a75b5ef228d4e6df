"""Runs a model once and reports which operations ran where. Importing it needs no torch; tracing does."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from qprep.foundation.errors import QprepError
from qprep.tracing.trace_report import TraceReport
from qprep.tracing.trace_values import ModuleRun, OpEvent, ReusedModule, Totals, TracePlace

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ModuleRun", "OpEvent", "ReusedModule", "Totals", "TracePlace", "TraceReport", "trace"]


def trace(model: nn.Module, *inputs: object, **kwinputs: object) -> TraceReport:
    """Run `model(*inputs, **kwinputs)` once, in the mode it is in, and report which operations ran where.

    The model and torch's random state are the same afterwards; in evaluation mode no graph is recorded. Errors of
    the model propagate. Raises QprepError if torch is missing or `model` is not an nn.Module.
    """
    if importlib.util.find_spec("torch") is None:
        raise QprepError("a trace runs the model and needs torch: pip install 'qprep[torch]'")
    from qprep.tracing.traced_run import trace as run

    return run(model, *inputs, **kwinputs)
