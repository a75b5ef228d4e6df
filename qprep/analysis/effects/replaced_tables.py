"""Code that gives an object another table of children: modules that a fix adds would be missing in it."""

from __future__ import annotations

import ast
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects.exposures import Exposure
from qprep.analysis.effects.library_names import CHILD_TABLE
from qprep.analysis.effects.mutator_names import SETTERS
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.effects.abstract_objects import References
    from qprep.analysis.effects.lexical_scopes import FileScopes
    from qprep.analysis.effects.points_to import PointsTo


def replaced_tables(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """`copy._modules = …`, also by `setattr`, `__dict__["_modules"]` or `vars(copy).update(_modules=…)`."""
    for node, owner in (*_assigned(file), *_set_by_calls(file)):
        scope = file.scope_of(node)
        is_own = isinstance(owner, ast.Name) and owner.id == points_to.receiver(scope)
        if not (is_own and scope.name == "__setstate__"):  # that takes over the table of the stored object
            find = partial(_children, points_to, owner, file)
            yield Exposure(find, node, f"gives `{ast.unparse(owner)}` other children")


def _assigned(file: FileScopes) -> Iterator[tuple[ast.expr, ast.expr]]:
    for attribute in file.index.of(ast.Attribute):
        if attribute.attr == CHILD_TABLE and isinstance(attribute.ctx, ast.Store):
            yield attribute, attribute.value
    for item in file.index.of(ast.Subscript):
        owner = _owner_of_state(item.value) if isinstance(item.ctx, ast.Store) else None
        if owner is not None and _is_table_name(item.slice):
            yield item, owner


def _set_by_calls(file: FileScopes) -> Iterator[tuple[ast.expr, ast.expr]]:
    for call in file.index.of(ast.Call):
        match call:
            case ast.Call(args=[owner, name, _]) if last_name(call.func) in SETTERS and _is_table_name(name):
                yield call, owner
            case ast.Call(func=ast.Attribute(value=owner, attr=setter), args=[name, _]) if setter in SETTERS:
                if _is_table_name(name):
                    yield call, owner
            case ast.Call(func=ast.Attribute(value=state, attr="update")):
                owned = _owner_of_state(state)
                if owned is not None and _names_table(call):
                    yield call, owned


def _names_table(call: ast.Call) -> bool:
    """True if a call of `update` gives the table a value: by a keyword, or as an item of a dictionary."""
    keys = (key for argument in call.args if isinstance(argument, ast.Dict) for key in argument.keys)
    return any(keyword.arg == CHILD_TABLE for keyword in call.keywords) or any(
        key is not None and _is_table_name(key) for key in keys
    )


def _is_table_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == CHILD_TABLE


def _owner_of_state(node: ast.expr) -> ast.expr | None:
    """The object whose state dictionary an expression is."""
    match node:
        case ast.Attribute(value=owner, attr="__dict__") | ast.Call(func=ast.Name(id="vars"), args=[owner]):
            return owner
    return None


def _children(points_to: PointsTo, owner: ast.expr, file: FileScopes) -> References:
    return points_to.below(points_to.of(owner, file.scope_of(owner)))
