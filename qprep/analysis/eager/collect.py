"""Finds what is wrong with hand-written eager quantization, in the files that have some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.analysis.eager.float_functional import find_functional
from qprep.analysis.eager.fuse_lists import judge_lists
from qprep.analysis.eager.fusion import find_fuse_calls
from qprep.analysis.eager.pairs import find_unfused_pairs
from qprep.analysis.eager.stubs import find_missing_stubs
from qprep.analysis.eager.unprepared import find_unprepared
from qprep.foundation.catalogue.torch_ao import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.protocol import Analysis


__all__ = ["find_eager", "find_unprepared"]


def find_eager(analysis: Analysis, names: Iterable[str]) -> None:
    """Add to the facts what is wrong with eager quantization in the files called `names`; others are not analysed."""
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
