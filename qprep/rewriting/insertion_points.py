"""Places in the methods and at the end of a class."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.method_forms import is_elsewhere

if TYPE_CHECKING:
    from qprep.rewriting.fix_scope import Scope


def first_statement(function: ast.FunctionDef) -> ast.stmt | None:
    """The first statement behind the docstring."""
    body = function.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        body = body[1:]
    return body[0] if body else None


def end_of_class(scope: Scope, name: str) -> tuple[int, str, str] | None:
    """The insertion point of a new method in a class: the offset, the indentation, and the text before it."""
    entry = scope.index.classes.get(name)
    own = [item for item in entry.node.body if not is_elsewhere(entry.node, item)] if entry is not None else []
    last = own[-1] if own else None
    if entry is None or last is None or last.lineno == entry.node.lineno or not scope.code.is_alone_on_line(last):
        return None
    offset = scope.code.next_line(last.end_lineno or last.lineno)
    missing = "" if offset and scope.code.text[offset - 1] in "\r\n" else scope.code.newline
    return offset, scope.code.indent_of(own[0]), missing
