"""A trace report as plain text."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from qprep.tracing.trace_values import OpEvent, ReusedModule, TraceData, TracePlace

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Row:
    """One operation at one place, of all the instances that issue it: what a table shows."""

    place: str
    op: str
    modules: str
    result: str
    owned: bool


def as_text(report: TraceData) -> str:
    """The summary, then one line for each place with unowned operations, reused module and module that never ran."""
    lines = [summary(report)]
    lines += [f"  {row.place}  {row.op}  {row.modules}  {row.result}" for row in rows(report.unowned)]
    lines += [f"  {line}" for line in reused(report.reused)]
    lines += [f"  {path or 'the model'} never ran" for path in report.never_run]
    return "\n".join(lines)


def summary(report: TraceData) -> str:
    """One line of totals, in calls."""
    totals = report.totals
    verdict = "prepared" if report.is_prepared else "not prepared"
    return (
        f"{report.model_class}: {verdict}; {totals.operations} operations ({totals.owned} owned, "
        f"{totals.unowned} unowned), {totals.reused} of {totals.modules} modules reused, {totals.never_run} never run"
    )


def rows(events: Iterable[OpEvent]) -> list[Row]:
    """The events, those of one operation at one place put together."""
    return [_row(group) for group in _grouped(events, lambda event: (event.place, event.op, event.owned))]


def reused(modules: Iterable[ReusedModule]) -> list[str]:
    """One sentence for each group of modules that ran more than once at the same places."""
    return [_sentence(group) for group in _grouped(modules, lambda each: (each.module_class, each.calls, each.sites))]


def _row(events: list[OpEvent]) -> Row:
    first = events[0]
    shape = ", ".join("x".join(map(str, each)) or "scalar" for each in first.shapes)
    more = ", …" if any(event.shapes != first.shapes for event in events) else ""
    return Row(
        place=_place(first.place) if first.place else "(inside torch)",
        op=first.op,
        modules=_names([event.module_path or "(model)" for event in events], [event.module_class for event in events]),
        result=f"{first.dtype} {shape}{more} ×{sum(event.calls for event in events)}",
        owned=first.owned,
    )


def _sentence(group: list[ReusedModule]) -> str:
    first = group[0]
    names = [" = ".join((each.module_path, *each.aliases)) for each in group]
    places = ", ".join(_place(site) for site in first.sites)
    times = f"{first.calls} times" + (" each" if len(group) > 1 else "")
    return f"{_names(names, [first.module_class])} ran {times}: {places}"


def _names(paths: list[str], classes: list[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more} ({', '.join(sorted(set(classes)))})"


def _place(place: TracePlace) -> str:
    inside = place.path.startswith(os.getcwd() + os.sep)
    return f"{os.path.relpath(place.path) if inside else place.path}:{place.line}:{place.column}"


def _grouped(items: Iterable[_T], key: Callable[[_T], Hashable]) -> list[list[_T]]:
    groups: dict[Hashable, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())
