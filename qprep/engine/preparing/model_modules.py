"""The source files that a model is made of: those of its classes, and of code that runs operations for them."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qprep.engine.preparing.source_finder import original_file
from qprep.foundation.version import PACKAGE_FOLDER

if TYPE_CHECKING:
    from qprep.tracing.trace_report import TraceReport


def class_modules(model: Any) -> dict[str, Path]:  # noqa: ANN401  (an nn.Module; this file needs no torch)
    """Files by module, of the classes of all modules of `model` and their bases; torch's own and Python's left out."""
    kinds = dict.fromkeys(base for module in model.modules() for base in type(module).__mro__)
    return _files(kind.__module__ for kind in kinds)


def running_modules(report: TraceReport) -> dict[str, Path]:
    """Files by module, of code that runs operations without a module, or modules more than once."""
    paths = {event.path for event in report.unowned if event.path is not None}
    paths |= {site.path for reused in report.reused for site in reused.sites}
    real = {os.path.realpath(path) for path in paths}
    return {name: path for name, path in _files(list(sys.modules)).items() if os.path.realpath(path) in real}


def _files(names: Iterable[str]) -> dict[str, Path]:
    return {name: path for name in dict.fromkeys(names) for path in _file(name)}


def _file(name: str) -> Iterator[Path]:
    """The Python file of a loaded module, unless it is torch's, Python's or qprep's own."""
    file = original_file(name)
    if file is not None and file.endswith(".py") and not file.startswith(_foreign()):
        yield Path(file)


@functools.cache
def _foreign() -> tuple[str, ...]:
    """The folders whose files are not rewritten."""
    torch = importlib.util.find_spec("torch")
    places = torch.submodule_search_locations if torch is not None else None
    standard = sysconfig.get_path("stdlib")
    inside = [os.path.join(standard, entry, "") for entry in _entries(standard) if entry != "site-packages"]
    own = [str(PACKAGE_FOLDER), *(places or ())]
    return (*(os.path.join(place, "") for place in own), *inside)


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
