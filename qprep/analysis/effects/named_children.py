"""The children whose names a variable holds."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from qprep.analysis.effects.abstract_objects import References
from qprep.analysis.effects.class_conditions import conditions
from qprep.analysis.effects.lexical_scopes import BindingKind, FileScopes
from qprep.analysis.effects.listed_children import children_below, listed_module, lists_direct_children, lists_modules
from qprep.analysis.effects.points_to import PointsTo


@dataclass(frozen=True, slots=True)
class NamedChild:
    """Children that a name in a loop belongs to, and where the name is taken."""

    find_modules: Callable[[], References]
    where: ast.AST


def named_children(node: ast.expr, file: FileScopes, points_to: PointsTo) -> list[NamedChild] | None:
    """The children whose names a variable holds; None where it may hold other names."""
    if not isinstance(node, ast.Name):
        return None
    scope = file.scope_of(node)
    home = scope.binder(node.id)
    found: list[NamedChild] = []
    for binding in home.bindings[node.id] if home is not None else ():
        if not isinstance(binding.value, ast.expr):
            return None
        loop = file.parents.get(binding.value)
        if binding.kind is BindingKind.ITEM and isinstance(loop, ast.For) and lists_modules(binding.value):
            found += _second_of(loop, node, file, points_to)
        elif (path := _path_that_ends(loop, node)) is not None:
            inner = named_children(path, file, points_to)
            if inner is None:
                return None
            found += inner
        elif binding.kind is BindingKind.ITEM and (keys := _keys_of(binding.value, file, points_to)) is not None:
            found += keys
        else:
            return None
    return found or None


def _second_of(loop: ast.For, name: ast.Name, file: FileScopes, points_to: PointsTo) -> Iterator[NamedChild]:
    """The module in a pair of name and module, the target of a loop."""
    match loop.target:
        case ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]) if first == name.id:
            scope = file.scope_of(loop)
            tests = list(conditions(name, points_to.variable(second, scope), file.parents))
            yield NamedChild(
                partial(
                    children_below, points_to, listed_module(loop.iter), scope, tests, lists_direct_children(loop.iter)
                ),
                name,
            )


def _path_that_ends(statement: ast.AST | None, name: ast.Name) -> ast.expr | None:
    """`path` in `parent, _, name = path.rpartition(".")`: what is named at its end is the module of that path."""
    match statement:
        case ast.Assign(
            targets=[ast.Tuple(elts=[*_, ast.Name(id=last)])],
            value=ast.Call(
                func=ast.Attribute(value=ast.Name() as path, attr="rpartition"), args=[ast.Constant(value=".")]
            ),
        ) if last == name.id:
            return path
    return None


def _keys_of(node: ast.expr, file: FileScopes, points_to: PointsTo) -> list[NamedChild] | None:
    """The children whose names are the keys of a dict of the same function."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name() as table, attr="items" | "keys"), args=[]):
            pass
        case ast.Name() as table:
            pass
        case _:
            return None
    home = file.scope_of(table).binder(table.id)
    found: list[NamedChild] = []
    for item in file.index.of(ast.Subscript):
        is_table = isinstance(item.value, ast.Name) and item.value.id == table.id
        if is_table and isinstance(item.ctx, ast.Store) and file.scope_of(item).binder(table.id) is home:
            inner = named_children(item.slice, file, points_to)
            if inner is None:
                return None
            found += inner
    return found or None
