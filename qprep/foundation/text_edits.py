"""Apply groups of edits to texts, all of a group or none, and show the result as a unified diff."""

from __future__ import annotations

import bisect
import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from qprep.foundation.findings import Edit, Fix

_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")


@dataclass(frozen=True, slots=True)
class Applied:
    """New texts of the paths that changed, and which of the fixes (by index) were applied and which dropped."""

    texts: Mapping[str, str]
    applied: tuple[int, ...]
    dropped: tuple[int, ...]


def apply_fixes(texts: Mapping[str, str], fixes: Sequence[Fix]) -> Applied:
    """Apply fixes in the order given; one that overlaps an applied one, in any file, is dropped whole.

    Insertions at one place are all kept, in the order of their fixes; an edit that an applied fix already made
    (two fixes that add the same import) is made once. Raises ValueError for an edit outside its text.
    """
    taken: dict[str, list[Edit]] = {}
    applied, dropped = [], []
    for index, fix in enumerate(fixes):
        new = [edit for edit in dict.fromkeys(fix.edits) if edit not in taken.get(edit.path, ())]
        for edit in new:
            _guard(texts, edit)
        if any(_overlaps(taken.get(edit.path, ()), edit) for edit in new) or _overlap_within(new):
            dropped.append(index)
            continue
        applied.append(index)
        for edit in new:
            bisect.insort_right(taken.setdefault(edit.path, []), edit, key=_place)
    changed = {path: apply_edits(texts[path], edits) for path, edits in taken.items()}
    return Applied(changed, tuple(applied), tuple(dropped))


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits that do not overlap; insertions at one place stay in the order given."""
    parts: list[str] = []
    done = 0
    for edit in sorted(edits, key=_place):
        if edit.start < done:
            raise ValueError(f"edits overlap at offset {edit.start} of {edit.path}")
        parts += (text[done : edit.start], edit.content)
        done = edit.end
    return "".join((*parts, text[done:]))


def unified_diff(path: str, old: str, new: str) -> str:
    """A diff that `git apply` and `patch` take; empty where the texts are equal."""
    if old == new:
        return ""
    # Patch tools end a line at \n alone; str.splitlines would cut at form feeds and lone \r as well.
    diff = difflib.unified_diff(_LINE.findall(old), _LINE.findall(new), f"a/{path}", f"b/{path}")
    return "".join(_mark_missing_newlines(diff))


def _mark_missing_newlines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _place(edit: Edit) -> tuple[int, int]:
    return (edit.start, edit.end)


def _guard(texts: Mapping[str, str], edit: Edit) -> None:
    if edit.path not in texts or not 0 <= edit.start <= edit.end <= len(texts[edit.path]):
        raise ValueError(f"expected an edit inside a known file, found {edit}")


def _overlaps(taken: Sequence[Edit], edit: Edit) -> bool:
    """True if an edit touches what one of the (sorted, disjoint) others replaces; only insertions may share a place."""
    index = bisect.bisect_left(taken, (edit.start, edit.end), key=_place)
    if index < len(taken) and taken[index].start < edit.end:
        return True
    return any(other.end > edit.start for other in taken[max(index - 1, 0) : index])


def _overlap_within(edits: Sequence[Edit]) -> bool:
    ordered = sorted(edits, key=_place)
    return any(left.end > right.start for left, right in itertools.pairwise(ordered))
