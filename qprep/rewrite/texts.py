"""Texts in the source: names in quotes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.findings import Unfixable
from qprep.rewrite.pieces import Piece

if TYPE_CHECKING:
    from qprep.rewrite.scope import Scope


def string_piece(scope: Scope, text: str) -> tuple[Piece, ...] | Unfixable:
    """Replace a plain text at the scope's place, its quotes kept."""
    node = scope.node
    assert isinstance(node, ast.Constant)
    start, end = scope.code.span(node)
    written = scope.code.text[start:end]
    if written[1:-1] != node.value or written[0] not in "\"'":
        return Unfixable("the name is not written as a plain text")
    return (Piece(start + 1, end - 1, text),)
