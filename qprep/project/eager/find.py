"""Finds what is wrong with hand-written eager quantization, in the files that have some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.foundation.catalogue.torch_ao import WORDS
from qprep.project.eager.functional import find_functional
from qprep.project.eager.fusing import find_fuse_calls
from qprep.project.eager.lists import judge_lists
from qprep.project.eager.pairs import find_unfused_pairs
from qprep.project.eager.stubs import find_missing_stubs
from qprep.project.eager.unprepared import find_unprepared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.project.analysis import Analysis


__all__ = ["find_eager", "find_unprepared"]


def find_eager(analysis: Analysis, names: Iterable[str]) -> None:
    """Add to the facts what is wrong with eager quantization in the files called `names`; others are not looked at."""
    relevant = [
        name
        for name in names
        if (text := analysis.project.text(name)) is not None
        and any(word in text for word in WORDS)
        and analysis.project.index(name) is not None
    ]
    if not relevant:
        return
    calls = find_fuse_calls(analysis, relevant)
    judge_lists(analysis, calls)
    find_unfused_pairs(analysis, calls)
    find_missing_stubs(analysis, relevant)
    find_functional(analysis, relevant, calls)
