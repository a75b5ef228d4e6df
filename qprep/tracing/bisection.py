"""Search among many fixes for the one that changes the outputs of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def bisect(fixes: Sequence[_T], differs: Callable[[Sequence[_T]], bool]) -> _T | None:
    """The fix with which a difference first appears when they are applied in order; None if all make none.

    `differs(part)` says whether applying `part` alone makes a difference; applying none makes none. It is asked
    about log2(len(fixes)) + 1 times.
    """
    if not differs(fixes):
        return None
    equal, different = 0, len(fixes)
    while different - equal > 1:
        middle = (equal + different) // 2
        if differs(fixes[:middle]):
            different = middle
        else:
            equal = middle
    return fixes[different - 1]


def keep(fixes: Sequence[_T], equal: Callable[[Sequence[_T]], bool]) -> list[_T]:
    """The fixes that make no difference together: each of the others makes one on top of those kept before it.

    `equal(part)` says whether applying `part` alone makes no difference; applying none makes none. It is asked about
    2 · k · log2(len(fixes)) times, k the number of fixes left out.
    """
    kept: list[_T] = []

    def extend(group: Sequence[_T]) -> None:
        if not group:
            return
        if equal([*kept, *group]):
            kept.extend(group)
        elif len(group) > 1:
            middle = len(group) // 2
            extend(group[:middle])
            extend(group[middle:])

    extend(fixes)
    return kept
