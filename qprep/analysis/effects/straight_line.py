"""Values of an attribute of `self` directly after its assignment."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def last_value(node: ast.Attribute, owner: str, parents: Mapping[ast.AST, ast.AST]) -> ast.expr | None:
    """The value that `self.attribute` was given last, where each way to the read passes that assignment.

    None where something between the two may give it another value: an assignment on a branch, a method of the object,
    a function that is given the object. `owner` is the name of `self`.
    """
    current: ast.AST = node
    while (parent := parents.get(current)) is not None and not isinstance(current, _FUNCTIONS):
        for earlier in reversed(_before(parent, current)):
            value = _assigned(earlier, node.attr, owner)
            if value is not None:
                return value
            if _may_assign(earlier, node.attr, owner):
                return None
        if isinstance(parent, ast.For | ast.AsyncFor | ast.While) and _may_assign(parent, node.attr, owner):
            return None  # an earlier round may
        current = parent
    return None


def _before(parent: ast.AST, part: ast.AST) -> list[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and part in block:
            return list(block[: block.index(part)])
    return []


def _assigned(statement: ast.stmt, attribute: str, owner: str) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=targets, value=value):
            if any(_is_own(target, attribute, owner) for target in targets) and not _may_assign(value, "", owner):
                return value
    return None


def _is_own(node: ast.AST, attribute: str, owner: str) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=attr):
            return name == owner and attr == attribute
    return False


def _may_assign(node: ast.AST, attribute: str, owner: str) -> bool:
    """True if code may give an attribute of an object another value: by its name, or because it gets the object."""
    parents = {child: part for part in ast.walk(node) for child in ast.iter_child_nodes(part)}
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr == attribute and not isinstance(part.ctx, ast.Load):
            return True
        if not (isinstance(part, ast.Name) and part.id == owner):
            continue
        parent = parents.get(part)
        is_read = isinstance(parent, ast.Attribute) and not _is_called(parent, parents)
        if not is_read:
            return True
    return False


def _is_called(node: ast.Attribute, parents: Mapping[ast.AST, ast.AST]) -> bool:
    parent = parents.get(node)
    return isinstance(parent, ast.Call) and parent.func is node
