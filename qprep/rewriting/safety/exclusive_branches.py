"""Statements of which one run of a function reaches at most one: they stand in different branches."""

from __future__ import annotations

import ast

_Step = tuple[ast.AST, str]
_REPEATED = (ast.For, ast.AsyncFor, ast.While)


def is_exclusive(function: ast.FunctionDef, first: ast.AST, second: ast.AST) -> bool:
    """True if one call of a function runs `first` or `second`, and never both."""
    for here, there in zip(_path(function, first), _path(function, second), strict=False):
        if here[0] is not there[0] or isinstance(here[0], _REPEATED):
            return False
        if here[1] != there[1]:
            return isinstance(here[0], ast.If) and {here[1], there[1]} == {"body", "orelse"}
    return False


def _path(function: ast.FunctionDef, sought: ast.AST) -> tuple[_Step, ...]:
    """The nodes around `sought` from the outside in, each with its field that leads on; () where it is not inside."""
    stack: list[tuple[ast.AST, tuple[_Step, ...]]] = [(function, ())]
    while stack:
        part, path = stack.pop()
        if part is sought:
            return path
        for field, value in ast.iter_fields(part):
            children = value if isinstance(value, list) else [value]
            stack.extend((child, (*path, (part, field))) for child in children if isinstance(child, ast.AST))
    return ()
