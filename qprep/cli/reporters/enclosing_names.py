"""The class and function around a line, read from the source text."""

from __future__ import annotations

import ast
from dataclasses import dataclass

_NAMED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Enclosing:
    """Dotted names of the innermost class and function; "" outside of one."""

    cls: str = ""
    function: str = ""


@dataclass(frozen=True, slots=True)
class _NamedRange:
    first: int
    last: int
    names: Enclosing


def scopes_of(text: str) -> tuple[_NamedRange, ...]:
    """Classes and functions of a text, outer ones first; none if it is not valid Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found: list[_NamedRange] = []
    pending: list[tuple[ast.AST, Enclosing]] = [(tree, Enclosing())]
    while pending:
        node, names = pending.pop()
        if isinstance(node, _NAMED):
            names = _inside(node, names)
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found.append(_NamedRange(first, node.end_lineno or first, names))
        pending.extend((child, names) for child in ast.iter_child_nodes(node))
    return tuple(sorted(found, key=lambda scope: (scope.first, -scope.last)))


def enclosing(scopes: tuple[_NamedRange, ...], line: int) -> Enclosing:
    """Names around a 1-based line."""
    inner = [scope.names for scope in scopes if scope.first <= line <= scope.last]
    return inner[-1] if inner else Enclosing()


def _inside(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, names: Enclosing) -> Enclosing:
    if isinstance(node, ast.ClassDef):
        return Enclosing(".".join(filter(None, (names.cls, node.name))))
    return Enclosing(names.cls, ".".join(filter(None, (names.function, node.name))))
