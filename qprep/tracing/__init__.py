"""Runs a model once and says what really happened: `qprep.trace(model, *inputs) -> TraceReport`.

The package itself is callable, so that `qprep.trace(model, x)` and `import qprep.tracing.trace_report` both work whichever
comes first. Importing it needs no torch; tracing does.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from qprep.foundation.errors import QprepError
from qprep.tracing.trace_report import ModuleRun, OpEvent, Place, ReusedModule, Totals, TraceReport

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ModuleRun", "OpEvent", "Place", "ReusedModule", "Totals", "TraceReport", "trace"]


def trace(model: nn.Module, *inputs: object, **kwinputs: object) -> TraceReport:
    """Run `model(*inputs, **kwinputs)` once, in the mode it is in, and report which operations ran where.

    The model and torch's random state are the same afterwards; in evaluation mode no graph is recorded. Errors of
    the model propagate. Raises QprepError where torch is missing or `model` is no nn.Module.
    """
    if importlib.util.find_spec("torch") is None:
        raise QprepError("a trace runs the model, which needs torch: pip install 'qprep[torch]'")
    from qprep.tracing.traced_run import trace as run

    return run(model, *inputs, **kwinputs)


class _CallablePackage(ModuleType):
    def __call__(self, model: nn.Module, *inputs: object, **kwinputs: object) -> TraceReport:
        return trace(model, *inputs, **kwinputs)


sys.modules[__name__].__class__ = _CallablePackage
