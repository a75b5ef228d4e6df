"""A fix as a short diff with line numbers, for people."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from qprep.cli.reporters.styled_text import ADDED, FRAME, REMOVED, Line, one_line, visible
from qprep.foundation.findings import Edit, Fix
from qprep.foundation.source import SourceFile
from qprep.foundation.source_cache import Sources
from qprep.foundation.text_edits import apply_edits

_CONTEXT = 1


def fix_diff(fix: Fix, path: str, sources: Sources) -> Iterator[Line]:
    """The lines that a fix takes out and puts in, with one line of context; other files are named."""
    by_path: dict[str, list[Edit]] = defaultdict(list)
    for edit in fix.edits:
        by_path[edit.path].append(edit)
    for edited in sorted(by_path, key=lambda name: (name != path, name)):
        source = sources.get(edited)
        if source is None:
            continue
        if edited != path:
            yield [("  --> ", FRAME), (one_line(edited), "")]
        yield from _file_diff(source, by_path[edited])


def _file_diff(source: SourceFile, edits: Sequence[Edit]) -> Iterator[Line]:
    gutter = len(str(len(source.starts)))
    yield [(f"{' ' * gutter} |", FRAME)]
    added = 0
    for index, (first, last, group) in enumerate(_clusters(source, edits)):
        if index:
            yield [("...", FRAME)]
        start = source.starts[first - 1]
        end = source.starts[last] if last < len(source.starts) else len(source.text)
        moved = [Edit(edit.path, edit.start - start, edit.end - start, edit.content) for edit in group]
        old = _split(source.text[start:end])
        new = _split(apply_edits(source.text[start:end], moved))
        yield from _hunk(old, new, first + added, gutter)
        added += len(new) - len(old)
    yield [(f"{' ' * gutter} |", FRAME)]


def _clusters(source: SourceFile, edits: Sequence[Edit]) -> list[tuple[int, int, list[Edit]]]:
    """Edits whose lines, context included, touch: (first line, last line, edits)."""
    clusters: list[tuple[int, int, list[Edit]]] = []
    for edit in sorted(edits):
        first = max(source.position(edit.start).line - _CONTEXT, 1)
        last = min(source.position(edit.end).line + _CONTEXT, len(source.starts))
        if clusters and first <= clusters[-1][1] + 1:
            start, end, group = clusters[-1]
            clusters[-1] = (start, max(end, last), [*group, edit])
        else:
            clusters.append((first, last, [edit]))
    return clusters


def _split(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def _hunk(old: list[str], new: list[str], first: int, gutter: int) -> Iterator[Line]:
    """Numbers are those of the new text; lines taken out have none."""
    number = first
    for line in difflib.ndiff(old, new):
        mark, text = line[0], visible(line[2:])
        if mark == "?":
            continue
        if mark == "-":
            yield [(f"{' ' * gutter}   - {text}", REMOVED)]
            continue
        style = ADDED if mark == "+" else ""
        body = f"{mark} {text}".rstrip()
        yield [(f"{number:>{gutter}} |", FRAME), (f" {body}" if body else "", style)]
        number += 1
