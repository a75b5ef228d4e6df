"""Prepares a model that is named as "package.module:factory" and not imported yet, for this process."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.engine.preparing.comparison import compared
from qprep.engine.preparing.import_hook import rewritten_sources
from qprep.engine.preparing.original_run import Original, run_original
from qprep.engine.preparing.package_files import package_of
from qprep.engine.preparing.prepare_report import PrepareReport, summed
from qprep.engine.preparing.source_finder import PreparedFinder, install, remove
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from torch import nn

    from qprep.engine.preparing.source_store import PreparedSources
    from qprep.tracing.model_target import Inputs
    from qprep.tracing.request import Request
    from qprep.tracing.trace_report import TraceReport


def prepare_target(request: Request, *, calibrate: str | None = None, given: Inputs | None = None) -> PrepareReport:
    """From now on this process builds the model of `request` prepared.

    The original is built and run in a process of its own; the files that its classes and operations come from are
    rewritten, and imported so in this process; the rewritten model is compared with the original. Inputs are `given`,
    else those of the request, else the first batch of the loader that `calibrate` names. Raises QprepError if the
    original does not run, where a file of it is imported here already, or where the rewritten model differs.
    """
    original = run_original(request, calibrate=calibrate, given=given)
    _check_not_imported(original)
    parts = rewritten_parts(original.modules)
    finder = PreparedFinder({name: module for part in parts for name, module in part.modules.items()})
    install(finder)
    try:
        equal, notes = compared(request.target, lambda: build(request), original.record, original.fresh_inputs)
        return summed(request.target, parts, equal, notes, traced(build(request), original.fresh_inputs()))
    except BaseException:
        remove(finder)
        raise


def rewritten_parts(modules: Mapping[str, Path]) -> list[PreparedSources]:
    """The rewritten forms of files by module, package by package."""
    groups: dict[str, dict[str, Path]] = defaultdict(dict)
    every: dict[str, dict[str, Path]] = defaultdict(dict)
    for name, path in modules.items():
        package = package_of(name, path)
        groups[package.name][name] = path
        every[package.name].update(package.files)
    return [rewritten_sources(label, files, {**every[label], **files}) for label, files in sorted(groups.items())]


def build(request: Request) -> nn.Module:
    """The model of a request, in evaluation mode unless it requests training."""
    from qprep.tracing import model_target

    return model_target.build(model_target.find(request.target), request)[0]


def traced(model: nn.Module, inputs: Inputs) -> TraceReport:
    """One run in evaluation mode; the model is in the mode that it was in afterwards."""
    from qprep.tracing.traced_run import trace

    training = {name: module.training for name, module in model.named_modules()}
    report = trace(model.eval(), *inputs.args, **inputs.kwargs)
    for name, module in model.named_modules():
        module.training = training[name]
    return report


def _check_not_imported(original: Original) -> None:
    loaded = {os.path.realpath(file) for module in list(sys.modules.values()) if (file := _file_of(module))}
    for name, path in original.modules.items():
        if name in sys.modules or os.path.realpath(path) in loaded:
            raise QprepError(
                f"expected to prepare `{name}` before it is imported, found it imported already: start a fresh process"
            )


def _file_of(module: object) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None
