"""Modules that run inside another one and by themselves: `self.features(x)` and `self.features[0](x)`."""

from __future__ import annotations

import math
import re
from itertools import chain
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.environment import Counts, Event, Frame
    from qprep.analysis.interpreter.protocol import Analysis

RUNS = "path"
_PART = re.compile(r"\[(-?\d*)(:?)(-?\d*)\]")


def event(path: str, classes: Iterable[str]) -> Event:
    """A module of these classes, reached by a path, runs."""
    return (RUNS, path, re.split(r"[.\[]", path, maxsplit=1)[0], frozenset(classes))


def paths(counts: Counts) -> frozenset[str]:
    """What runs, by path."""
    return frozenset(str(event[1]) for event in counts if event[0] == RUNS)


def runs_again(analysis: Analysis, frame: Frame, new: Event) -> bool:
    """True if a part of what runs now ran before on this path, in a larger or smaller whole."""
    current: Frame | None = frame
    while current is not None:
        before = chain(current.counts, *current.earlier)
        if any(old[0] == RUNS and old[2] == new[2] and _meet(analysis, old, new) for old in before):
            return True
        current = current.caller
    return False


def _meet(analysis: Analysis, old: Event, new: Event) -> bool:
    one, other = str(old[1]), str(new[1])
    if one == other:
        return False  # the same instance, which its own event tells of
    if other.startswith((f"{one}.", f"{one}[")):
        return _holds(analysis, old, other[len(one) :])
    if one.startswith((f"{other}.", f"{other}[")):
        return _holds(analysis, new, one[len(other) :])
    return _is_common_part(one, other)


def _holds(analysis: Analysis, whole: Event, rest: str) -> bool:
    """True if a run of a module runs what lies under it."""
    classes = whole[3]
    assert isinstance(classes, frozenset)
    if classes == {"torch.nn.Sequential"}:
        return True
    found = [analysis.project.resolve(str(name)) for name in classes]
    return all(isinstance(cls, ClassRef) and rest[1:] in analysis.runs.get(cls, ()) for cls in found)


def _is_common_part(one: str, other: str) -> bool:
    """True if two constant indexes or slices of one list have an item in common."""
    root = re.split(r"[.\[]", one, maxsplit=1)[0]
    parts = [_PART.match(path, len(root)) for path in (one, other)]
    ranges = [_range(part) for part in parts if part is not None]
    if len(ranges) < 2 or ranges[0] is None or ranges[1] is None:
        return False
    if not any(match is not None and match[2] for match in parts):
        return False  # two items: the same one has the same path, or the parts of it have
    return max(ranges[0][0], ranges[1][0]) < min(ranges[0][1], ranges[1][1])


def _range(part: re.Match[str]) -> tuple[float, float] | None:
    first, colon, last = part.groups()
    if "-" in first + last or not (colon or first):
        return None
    start = int(first or 0)
    return (start, int(last) if last else math.inf) if colon else (start, start + 1)
