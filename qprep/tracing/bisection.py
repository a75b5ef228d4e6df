"""Which of many fixes changes what a model computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def bisect(fixes: Sequence[_T], differs: Callable[[Sequence[_T]], bool]) -> _T | None:
    """The fix with which a difference first appears when they are applied in order; None where all make none.

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
