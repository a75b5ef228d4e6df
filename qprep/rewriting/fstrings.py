"""Texts in the source: names in quotes, expressions in formatted texts."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece

if TYPE_CHECKING:
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.source_code import Code


def string_piece(scope: Scope, text: str) -> tuple[Piece, ...] | Rejection:
    """Replace a plain text at the scope's place, its quotes kept."""
    node = scope.node
    assert isinstance(node, ast.Constant)
    start, end = scope.code.span(node)
    written = scope.code.text[start:end]
    if written[1:-1] != node.value or written[0] not in "\"'":
        return Rejection("the name is not a string literal", RejectionCode.LAYOUT)
    return (Piece(start + 1, end - 1, text),)


def rejection_of(code: Code, node: ast.AST) -> Rejection | None:
    """The reason why an expression in a formatted text cannot be rewritten; None if it can, or is outside of one."""
    field: ast.FormattedValue | None = None
    current = node
    while isinstance(current, ast.expr):
        if isinstance(current, ast.FormattedValue):
            field = current
        current = code.parents[current]
    if field is None or not isinstance(node, ast.expr):
        return None
    start, end = code.span(field.value)
    if code.text[code.skip_blank(end, ")")] == "=":
        return Rejection("the f-string around it prints the expression itself", RejectionCode.LAYOUT)
    before = code.text[:start].rstrip(" (")
    opened = len(before) - len(before.rstrip("{"))
    # Before Python 3.12 positions in texts are found by searching for what stands there.
    if opened % 2 == 0 or not _is_written(code.slice(node), node):
        return Rejection("its position in the f-string is unknown", RejectionCode.LAYOUT)
    return None


def _is_written(text: str, node: ast.expr) -> bool:
    try:
        return ast.dump(ast.parse(f"({text})", mode="eval").body) == ast.dump(node)
    except SyntaxError:
        return False
