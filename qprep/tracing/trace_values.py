"""The values that one traced forward pass is described by: plain data, without torch and without a form of text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True, order=True)
class TracePlace:
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
    path          source file of the expression; None if no code of the user's stands between torch and the trace
    module_path   the instance that issued it ("" is the model itself), module_class its class
    owned         whether exactly one module instance is its own
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
    def place(self) -> TracePlace | None:
        """The place in the source, or None."""
        if self.path is None:
            return None
        return TracePlace(self.path, self.line, self.column, self.end_line, self.end_column, self.lineno)


@dataclass(frozen=True, slots=True)
class ReusedModule:
    """A leaf module that ran more than once: its first path, its other paths, and where it was called."""

    module_path: str
    module_class: str
    calls: int
    has_parameters: bool
    aliases: tuple[str, ...]
    sites: tuple[TracePlace, ...]


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
class TraceData:
    """Everything that one forward pass of a model showed; `TraceReport` adds its forms."""

    model_class: str
    events: tuple[OpEvent, ...]
    reused: tuple[ReusedModule, ...]
    never_run: tuple[str, ...]
    modules: tuple[ModuleRun, ...]

    @cached_property
    def unowned(self) -> tuple[OpEvent, ...]:
        """The compute operations without a dedicated module."""
        return tuple(event for event in self.events if not event.owned)

    @property
    def is_prepared(self) -> bool:
        """True if every operation is owned and no leaf module ran twice."""
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
