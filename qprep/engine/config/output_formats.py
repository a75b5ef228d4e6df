"""Output formats: the names of qprep's own, and the form in which plugins add theirs."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

FORMAT_PREFIX: Final = "format_"  # of the files of formats in cli/reporters


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """A format of findings.

    render       the whole output of a run, from a `Report`
    shows_edits  True if the output shows the edits of fixes: they are computed for such formats only
    is_human     True if people read the output, so that summaries may be printed with it
    """

    name: str
    render: Callable[[Any], str]
    shows_edits: bool
    is_human: bool


@cache
def own_formats() -> tuple[str, ...]:
    """The names of qprep's own formats, from the names of their files: "json-lines" for format_json_lines.py.

    No file is imported, so that settings and help need no reporter.
    """
    folder = Path(__file__).parents[2] / "cli" / "reporters"
    files = sorted(found.name for found in pkgutil.iter_modules([str(folder)]) if found.name.startswith(FORMAT_PREFIX))
    return tuple(name.removeprefix(FORMAT_PREFIX).replace("_", "-") for name in files)
