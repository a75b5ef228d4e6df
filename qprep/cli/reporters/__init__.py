"""Output formats: one file each, found by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from qprep.cli.reporters.report_data import Report
from qprep.foundation.source_cache import Sources

__all__ = ["FORMATS", "FORMATS_WITH_EDITS", "HUMAN_FORMATS", "Report", "Sources", "render"]

FORMATS_WITH_EDITS = frozenset({"full", "json", "json-lines", "sarif"})  # that show what a fix would change
HUMAN_FORMATS = frozenset({"full", "concise", "grouped"})
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "full": "full",
        "concise": "concise",
        "grouped": "grouped",
        "json": "as_json",
        "json-lines": "json_lines",
        "github": "github",
        "gitlab": "gitlab",
        "sarif": "sarif",
        "junit": "junit",
    }
)


def render(name: str, report: Report) -> str:
    """The whole output of a run in a format; KeyError for a format that there is not."""
    module = importlib.import_module(f"qprep.cli.reporters.{FORMATS[name]}")
    text = module.render(report)
    if not isinstance(text, str):
        raise TypeError(f"format {name} gave {type(text).__name__}")
    return text
