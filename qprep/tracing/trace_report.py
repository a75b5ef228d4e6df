"""What one traced forward pass showed: plain data, readable and writable without torch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from qprep.foundation.errors import QprepError

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """An expression in a source file; line 0 where the file has no positions.

    Lines and columns are 1-based, columns count code points, the end is exclusive. `lineno` is the line that a
    traceback names: it differs from `line` where a chain of methods is spread over lines.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    lineno: int


@dataclass(frozen=True, slots=True)
class OpEvent:
    """One compute operation on an activation, at one place, issued by one module instance.

    op            canonical name in the operator catalogue ("add" for `x += y`), "nn.NAME" for a compound module
    path          source file of the expression; None where no code of the user's stands between torch and the trace
    module_path   the instance that issued it ("" is the model itself), module_class its class
    owned         whether exactly one module instance stands for it
    dtype, shapes of its results in the first call
    calls         how often it ran
    """

    op: str
    path: str | None
    line: int
    column: int
    end_line: int
    end_column: int
    module_path: str
    module_class: str
    owned: bool
    dtype: str
    shapes: tuple[tuple[int, ...], ...]
    calls: int
    lineno: int

    @property
    def place(self) -> Place | None:
        """Where it stands, or None."""
        if self.path is None:
            return None
        return Place(self.path, self.line, self.column, self.end_line, self.end_column, self.lineno)


@dataclass(frozen=True, slots=True)
class ReusedModule:
    """A leaf module that ran more than once: its first path, its other paths, and where it was called."""

    module_path: str
    module_class: str
    calls: int
    has_parameters: bool
    aliases: tuple[str, ...]
    sites: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class ModuleRun:
    """One module of the model and how often its forward ran."""

    path: str
    module_class: str
    calls: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Calls of compute operations (owned + unowned = operations) and counts of modules."""

    operations: int
    owned: int
    unowned: int
    reused: int
    never_run: int
    modules: int


@dataclass(frozen=True)
class TraceReport:
    """Everything one forward pass of a model showed."""

    model_class: str
    events: tuple[OpEvent, ...]
    reused: tuple[ReusedModule, ...]
    never_run: tuple[str, ...]
    modules: tuple[ModuleRun, ...]

    @cached_property
    def unowned(self) -> tuple[OpEvent, ...]:
        """The compute operations that no dedicated module stands for."""
        return tuple(event for event in self.events if not event.owned)

    @property
    def is_prepared(self) -> bool:
        """Whether every operation is owned and no leaf module ran twice."""
        return not self.unowned and not self.reused

    @property
    def totals(self) -> Totals:
        """Calls, not places: an operation in a loop of three counts three times."""
        calls: Counter[bool] = Counter()
        for event in self.events:
            calls[event.owned] += event.calls
        return Totals(
            operations=calls.total(),
            owned=calls[True],
            unowned=calls[False],
            reused=len(self.reused),
            never_run=len(self.never_run),
            modules=len(self.modules),
        )

    def __str__(self) -> str:
        from qprep.tracing.trace_text import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from qprep.tracing.trace_html import as_html

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
    sites = tuple(Place(**site) for site in item["sites"])
    return ReusedModule(**{**item, "aliases": tuple(item["aliases"]), "sites": sites})
