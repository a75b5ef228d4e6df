"""Output formats: one file each, found by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from qprep.cli.reporters.report_data import Report
from qprep.engine.config.output_formats import FORMAT_PREFIX, OutputFormat, own_formats
from qprep.foundation.source_cache import Sources

__all__ = ["OutputFormat", "Report", "Sources", "output_format", "own_formats", "render"]

_NONE: Mapping[str, OutputFormat] = MappingProxyType({})


def output_format(name: str, added: Mapping[str, OutputFormat] = _NONE) -> OutputFormat:
    """The format called `name`, of qprep or among those `added` by plugins; ModuleNotFoundError for an unknown one."""
    if name in added:
        return added[name]
    module = importlib.import_module(f"{__name__}.{FORMAT_PREFIX}{name.replace('-', '_')}")
    return OutputFormat(name, module.render, module.SHOWS_EDITS, module.IS_HUMAN)


def render(name: str, report: Report, added: Mapping[str, OutputFormat] = _NONE) -> str:
    """The whole output of a run in a format."""
    text = output_format(name, added).render(report)
    if not isinstance(text, str):
        raise TypeError(f"format {name} gave {type(text).__name__}")
    return text
