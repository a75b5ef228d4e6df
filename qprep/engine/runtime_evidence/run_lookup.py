"""Observations of runs of models, by file and range."""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.places import Place as StaticPlace

if TYPE_CHECKING:
    from qprep.foundation.findings import Finding
    from qprep.foundation.source import SourceFile
    from qprep.tracing.trace_report import TraceReport
    from qprep.tracing.trace_values import OpEvent, ReusedModule, TracePlace


class Range(NamedTuple):
    """An expression of a file: 1-based lines and columns in code points, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def contains(self, other: Range) -> bool:
        """True if `other` lies within."""
        return self[:2] <= other[:2] and other[2:] <= self[2:]


@dataclass(frozen=True, slots=True)
class Run:
    """One traced forward pass; `ran` and `built` are the expressions evaluated in it and while the model was built."""

    target: str
    report: TraceReport
    ran: frozenset[TracePlace]
    built: frozenset[TracePlace]


@dataclass(frozen=True, slots=True)
class UnownedOperation:
    """An operation that no module owns, as the run of one target showed it."""

    target: str
    event: OpEvent

    @property
    def compound(self) -> str:
        """The class of the compound module whose call it is, or nothing."""
        return self.event.op.removeprefix("nn.") if self.event.op.startswith("nn.") else ""

    @property
    def module_path(self) -> str:
        """The instance that issued it."""
        return self.event.module_path

    @property
    def module_class(self) -> str:
        """The class of that instance."""
        return self.event.module_class


@dataclass(frozen=True, slots=True)
class Reuse:
    """A leaf module that ran more than once, as the run of one target showed it."""

    target: str
    module: ReusedModule

    @property
    def module_path(self) -> str:
        """The instance that ran again."""
        return self.module.module_path

    @property
    def module_class(self) -> str:
        """Its class."""
        return self.module.module_class


class Runs:
    """Several runs; `unowned` and `reused` are by real path of the file, then by range."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.targets = tuple(run.target for run in runs)
        self.unowned: dict[str, dict[Range, list[UnownedOperation]]] = {}
        self.reused: dict[str, dict[Range, list[Reuse]]] = {}
        self.modules = tuple(module for run in runs for module in run.report.modules)
        self._ran: dict[str, set[Range]] = defaultdict(set)
        self._built: dict[str, set[Range]] = defaultdict(set)
        for run in runs:
            self._add(run)

    def did_run(self, path: str, where: Range) -> bool:
        """True if a forward pass evaluated the expression."""
        return where in self._ran.get(path, ())

    def did_build(self, path: str, where: Range) -> bool:
        """True if building a model evaluated the expression."""
        return where in self._built.get(path, ())

    def ran_inside(self, path: str, where: Range) -> bool:
        """True if a forward pass evaluated the expression, or one inside it."""
        return any(where.contains(each) for each in self._ran.get(path, ()))

    def built_inside(self, path: str, where: Range) -> bool:
        """True if building a model evaluated the expression, or one inside it."""
        return any(where.contains(each) for each in self._built.get(path, ()))

    def lines_run(self, path: str) -> frozenset[int]:
        """The first lines of the expressions that a forward pass evaluated in a file."""
        return frozenset(where.line for where in self._ran.get(path, ()))

    def evaluated_any(self, paths: Collection[str]) -> bool:
        """True if a run evaluated anything in the files."""
        return any(self._ran.get(path) or self._built.get(path) for path in paths)

    def operations(self) -> Iterator[list[UnownedOperation]]:
        """The unowned operations, those at one place together."""
        return (seen for by_range in self.unowned.values() for seen in by_range.values())

    def reuses(self) -> Iterator[list[Reuse]]:
        """The modules that run again, those at one place together."""
        return (seen for by_range in self.reused.values() for seen in by_range.values())

    def _add(self, run: Run) -> None:
        for event in run.report.unowned:
            if event.place is not None:
                path, where = _key(event.place)
                self.unowned.setdefault(path, {}).setdefault(where, []).append(UnownedOperation(run.target, event))
        for module in run.report.reused:
            for site in module.sites:
                path, where = _key(site)
                self.reused.setdefault(path, {}).setdefault(where, []).append(Reuse(run.target, module))
        for places, by_path in ((run.ran, self._ran), (run.built, self._built)):
            for place in places:
                path, where = _key(place)
                by_path[path].add(where)


def real_path(path: str) -> str:
    """The name by which files are compared: absolute, no symbolic links."""
    return path if path.startswith("<") else _resolved(os.path.abspath(path))


_resolved = functools.lru_cache(maxsize=4096)(os.path.realpath)


def range_of(finding: Finding) -> Range:
    """The expression that a finding is about."""
    return Range(finding.start.line, finding.start.column, finding.end.line, finding.end.column)


def place_of(source: SourceFile, module: str, where: Range) -> StaticPlace:
    """A range as a place of the analysis: columns in UTF-8 bytes from 0."""
    start = len(source.line(where.line)[: where.column - 1].encode())
    end = len(source.line(where.end_line)[: where.end_column - 1].encode())
    return StaticPlace(module, where.line, start, where.end_line, end)


def _key(place: TracePlace) -> tuple[str, Range]:
    return real_path(place.path), Range(place.line, place.column, place.end_line, place.end_column)
