"""The report of one traced forward pass: its values, and their forms as text, HTML and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from qprep.foundation.errors import QprepError
from qprep.tracing.trace_html import as_html
from qprep.tracing.trace_text import as_text
from qprep.tracing.trace_values import ModuleRun, OpEvent, ReusedModule, TraceData, TracePlace

_VERSION: Final = 1


@dataclass(frozen=True)
class TraceReport(TraceData):
    """Everything that one forward pass of a model showed; `print` it, show it in a notebook, or keep it as JSON."""

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_json(self) -> str:
        """One JSON object with the fields of this class, `totals` and `is_prepared`."""
        fields = {"version": _VERSION, **asdict(self), "totals": asdict(self.totals), "is_prepared": self.is_prepared}
        return json.dumps(fields, indent=2)

    @classmethod
    def from_json(cls, text: str) -> TraceReport:
        """The report that `to_json` wrote; QprepError for any other text."""
        try:
            return _report(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise QprepError(f"expected the JSON of a trace report (version {_VERSION}), found {error!r}") from error


def _report(data: Mapping[str, Any]) -> TraceReport:
    if data["version"] != _VERSION:
        raise ValueError(f"version {data['version']}")
    return TraceReport(
        model_class=data["model_class"],
        events=tuple(_event(item) for item in data["events"]),
        reused=tuple(_reused(item) for item in data["reused"]),
        never_run=tuple(data["never_run"]),
        modules=tuple(ModuleRun(**item) for item in data["modules"]),
    )


def _event(item: Mapping[str, Any]) -> OpEvent:
    return OpEvent(**{**item, "shapes": tuple(tuple(shape) for shape in item["shapes"])})


def _reused(item: Mapping[str, Any]) -> ReusedModule:
    sites = tuple(TracePlace(**site) for site in item["sites"])
    return ReusedModule(**{**item, "aliases": tuple(item["aliases"]), "sites": sites})
