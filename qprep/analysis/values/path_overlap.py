"""Modules that run inside another one and by themselves: `self.features(x)` and `self.features[0](x)`."""

from __future__ import annotations

import math
import re
from itertools import chain
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import ClassRef, modules_of
from qprep.analysis.values.access_paths import AccessPath, Item
from qprep.analysis.values.path_events import PathRan

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Counts, Frame
    from qprep.analysis.interpreter.protocol import Analysis

MAX_DEPTH = 8
"""Modules inside one another that a path is followed through; a deeper one counts as not run."""
_RANGE = re.compile(r"(-?\d*)(:?)(-?\d*)")


def paths(counts: Counts) -> frozenset[AccessPath]:
    """The modules that run, by path."""
    return frozenset(event.path for event in counts if isinstance(event, PathRan))


def runs_again(analysis: Analysis, frame: Frame, new: PathRan) -> bool:
    """True if a part of what runs now ran before on this path, in a larger or smaller whole."""
    current: Frame | None = frame
    while current is not None:
        before = chain(current.counts, *current.earlier)
        if any(
            isinstance(old, PathRan) and old.path.root == new.path.root and _meet(analysis, old, new) for old in before
        ):
            return True
        current = current.caller
    return False


def _meet(analysis: Analysis, old: PathRan, new: PathRan) -> bool:
    one, other = old.path.in_items(new.path), new.path.in_items(old.path)
    if one == other:
        return False  # the same instance, which its own event tells of
    if (rest := other.below(one)) is not None:
        return _holds(analysis, old, rest)
    if (rest := one.below(other)) is not None:
        return _holds(analysis, new, rest)
    return _is_common_part(one, other)


def _holds(analysis: Analysis, whole: PathRan, rest: AccessPath) -> bool:
    """True if a run of a module runs what lies under it."""
    if whole.classes == {"torch.nn.Sequential"}:
        return True
    found = [analysis.project.resolve(name) for name in whole.classes]
    return all(isinstance(cls, ClassRef) and _runs(analysis, cls, rest, MAX_DEPTH) for cls in found)


def _runs(analysis: Analysis, cls: ClassRef, path: AccessPath, depth: int) -> bool:
    """True if the forward of a class runs what lies under a path, itself or in the forward of a child.

    A child of several classes is one of those that have the rest of the path.
    """
    runs = analysis.runs.get(cls, frozenset())
    if path in runs:
        return True
    name, rest = _first_attribute(path), AccessPath(path.steps[1:])
    if not name or not rest or not depth or AccessPath((name,)) not in runs:
        return False
    entry = analysis.attributes_of(cls).names.get(name)
    children = {module.cls for module in modules_of(entry.kind)} if entry is not None else set()
    having = [child for child in children if isinstance(child, ClassRef) and _has(analysis, child, rest)]
    return bool(having) and all(_runs(analysis, child, rest, depth - 1) for child in having)


def _has(analysis: Analysis, cls: ClassRef, path: AccessPath) -> bool:
    return _first_attribute(path) in analysis.attributes_of(cls).names


def _first_attribute(path: AccessPath) -> str:
    """The attribute that a path begins with, unless an item of it is meant."""
    first, *after = path.steps
    return first if isinstance(first, str) and not (after and isinstance(after[0], Item)) else ""


def _is_common_part(one: AccessPath, other: AccessPath) -> bool:
    """True if two constant indexes or slices of one list have an item in common."""
    items = [step for path in (one, other) for step in path.steps[1:2] if isinstance(step, Item)]
    parts = [_RANGE.fullmatch(item.text) for item in items]
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
