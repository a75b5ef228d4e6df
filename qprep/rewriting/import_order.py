"""The order of imports that isort and ruff keep: where a new line belongs in a group that has this order already."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qprep.rewriting.source_code import Code

ImportNode = ast.Import | ast.ImportFrom
_NUMBER = re.compile(r"(\d+)")
_Natural = tuple[tuple[int, int, str], ...]


def group_around(code: Code, anchor: ast.stmt) -> list[ImportNode]:
    """The imports in the lines directly above and below `anchor`, without a blank line, a comment or other code."""
    body = code.tree.body
    first = last = body.index(anchor)
    while first > 0 and _follows(body[first - 1], body[first]):
        first -= 1
    while last + 1 < len(body) and _follows(body[last], body[last + 1]):
        last += 1
    return [node for node in body[first : last + 1] if isinstance(node, ImportNode)]


def _follows(upper: ast.stmt, lower: ast.stmt) -> bool:
    both = isinstance(upper, ImportNode) and isinstance(lower, ImportNode)
    return both and lower.lineno == (upper.end_lineno or upper.lineno) + 1


def insertion_index(group: Sequence[ImportNode], module: str) -> int | None:
    """The index in the group for `from module import …`; None if the group is in another order."""
    keys = [_key(node) for node in group]
    known = [key for key in keys if key is not None]
    if len(known) < len(keys) or known != sorted(known):
        return None
    return bisect_right(known, (True, _natural(module)))


def _key(node: ImportNode) -> tuple[bool, _Natural] | None:
    """`import x` before `from x import y`, then by module; None for a line that isort would move or split."""
    if isinstance(node, ast.ImportFrom):
        return (True, _natural(node.module or "")) if node.level == 0 else None
    return (False, _natural(node.names[0].name)) if len(node.names) == 1 else None


def in_order(names: Iterable[str]) -> list[str]:
    """Imported names: constants, classes, then others; each without regard to case, and numbers by value."""
    return sorted(names, key=lambda name: (_kind(name.partition(" ")[0]), _natural(name), name))


def _kind(name: str) -> int:
    if len(name) > 1 and name.isupper():
        return 0
    return 1 if name[:1].isupper() else 2


def _natural(text: str) -> _Natural:
    parts = _NUMBER.split(text.lower())
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
