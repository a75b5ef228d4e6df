"""Code that gives a variable of a module another value, other than by an assignment to `module.name`.

`global F`, `globals()["F"] = …`, `function.__globals__["F"] = …`, `mock.patch.object(model, "F")`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Named, Reference, References
from qprep.analysis.effects.attribute_names import ANY_NAME, patterns_of
from qprep.analysis.effects.library_names import ANY_MODULE
from qprep.analysis.effects.stored_values import dictionary_owner
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

_DOT = r"\."
_OF_FUNCTIONS = frozenset(("__globals__", "f_globals"))
_WRITES = frozenset(("__setitem__", "__delitem__", "pop", "popitem", "setdefault", "update", "clear"))
_BY_KEY = frozenset(("__setitem__", "__delitem__", "pop", "setdefault"))


@dataclass(frozen=True, slots=True)
class VariableWrite:
    """A place where a variable of a module, or an attribute of another object, gets another value.

    `attribute` is a regular expression for its name, `find_owners` gives the module or other object.
    """

    node: ast.expr | ast.stmt
    text: str
    find_owners: Callable[[], References]
    attribute: str


def variable_writes(file: FileScopes, points_to: PointsTo) -> Iterator[VariableWrite]:
    """All such places in a file."""
    yield from _global_names(file)
    for node in file.index.of(ast.Subscript):
        if not isinstance(node.ctx, ast.Load):
            yield from _items(file, node, node.value, _names(node.slice, file))
    for update in file.index.of(ast.AugAssign):
        yield from _items(file, update, update.target, [ANY_NAME], value=update.value)
    for call in file.index.of(ast.Call):
        yield from _called(call, file, points_to)


def _global_names(file: FileScopes) -> Iterator[VariableWrite]:
    """`global F` in a function that binds `F`."""
    for node in file.index.of(ast.Global):
        bound = file.scope_of(node).bindings
        for name in node.names:
            if name in bound:
                yield VariableWrite(node, f"sets the global variable `{name}`", partial(_module, file.module), name)


def _module(name: str) -> References:
    return frozenset((Reference(Named(name)),))


def _names(node: ast.expr, file: FileScopes) -> list[str]:
    found = patterns_of(node, file.scope_of(node))
    return [ANY_NAME] if ANY_NAME in found else sorted(found)


def _items(
    file: FileScopes,
    node: ast.expr | ast.stmt,
    table: ast.expr,
    names: list[str],
    value: ast.expr | None = None,
) -> Iterator[VariableWrite]:
    """`globals()["F"] = …`, `table |= {"F": …}`: items of the dictionary of a module's variables."""
    owner = _module_of(table, file)
    if owner is None:
        return
    given = _keys(value) if value is not None else names
    for name in given:
        yield VariableWrite(node, f"changes `{ast.unparse(table)}`", partial(_module, owner), name)


def _keys(value: ast.expr) -> list[str]:
    """Regular expressions for the keys of a dictionary."""
    if isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys):
        return [re.escape(str(key.value)) for key in value.keys if isinstance(key, ast.Constant)]
    return [ANY_NAME]


def _module_of(table: ast.expr, file: FileScopes) -> str | None:
    """The module whose variables a dictionary holds: `globals()`, `f.__globals__`, a variable that is one of them."""
    scope = file.scope_of(table)
    match table:
        case ast.Name(id=name) if (home := scope.binder(name)) is not None:
            values = (binding.value for binding in home.bindings[name])
            found = (_table(value, home) for value in values if isinstance(value, ast.expr))
            return next((each for each in found if each is not None), None)
    return _table(table, scope)


def _table(node: ast.expr, scope: LexicalScope) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id="globals"), args=[]):
            return scope.file.module
        case ast.Call(func=ast.Name(id="vars" | "locals"), args=[]) if scope.parent is None:
            return scope.file.module
        case ast.Attribute(attr=attribute) if attribute in _OF_FUNCTIONS:
            return ANY_MODULE
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=attribute), *_]):
            return ANY_MODULE if attribute in _OF_FUNCTIONS else None
    return None


def _called(call: ast.Call, file: FileScopes, points_to: PointsTo) -> Iterator[VariableWrite]:
    """`globals().update(F=…)`, `mock.patch.object(model, "F", …)`, `mock.patch("model.F", …)`."""
    name, func = last_name(call.func), call.func
    if isinstance(func, ast.Attribute) and name in _WRITES:
        given: list[str] = [keyword.arg or ANY_NAME for keyword in call.keywords]
        for argument in call.args[:1]:
            given += _names(argument, file) if name in _BY_KEY else _keys(argument)
        yield from _items(file, call, func.value, given or [ANY_NAME])
    if name in ("patch", "setattr", "delattr") and call.args:
        yield from _by_path(call, file, points_to)
    if isinstance(func, ast.Attribute) and last_name(func.value) == "patch" and call.args:
        yield from _patched(call, func.attr, file, points_to)


def _patched(call: ast.Call, how: str, file: FileScopes, points_to: PointsTo) -> Iterator[VariableWrite]:
    """`patch.object(owner, "name", …)`, `patch.multiple(owner, name=…)` of unittest.mock and pytest-mock."""
    owner, text = call.args[0], f"calls `{ast.unparse(call.func)}`"
    names: list[str] = []
    if how == "object":
        named = next((k.value for k in call.keywords if k.arg == "attribute"), call.args[1] if call.args[1:] else None)
        names = _names(named, file) if named is not None else [ANY_NAME]
    elif how == "multiple":
        names = [keyword.arg or ANY_NAME for keyword in call.keywords]
    elif how == "dict":
        values = _keys(call.args[1]) if call.args[1:] else []
        values += [keyword.arg or ANY_NAME for keyword in call.keywords]
        yield from _items(file, call, owner, values)
        owner = dictionary_owner(owner) or owner
        names = values if owner is not call.args[0] else []
    is_path = isinstance(owner, ast.Constant) and isinstance(owner.value, str)
    found = partial(_owners, str(owner.value) if is_path and isinstance(owner, ast.Constant) else "", points_to)
    for name in names:
        yield VariableWrite(call, text, found if is_path else partial(points_to.of, owner, file.scope_of(call)), name)


def _by_path(call: ast.Call, file: FileScopes, points_to: PointsTo) -> Iterator[VariableWrite]:
    """Writes by a dotted path in a text; a path that the source does not spell yields none."""
    for pattern in _names(call.args[0], file):
        owner, dot, name = pattern.rpartition(_DOT)
        if dot and not name.startswith("*"):
            text = f"calls `{ast.unparse(call.func)}` for `{ast.unparse(call.args[0])}`"
            yield VariableWrite(call, text, partial(_owners, owner.replace(_DOT, "."), points_to), name)


def _owners(path: str, points_to: PointsTo) -> References:
    """The object that a dotted path names; any module where the path is not spelled out."""
    if all(part.isidentifier() for part in path.split(".")):
        return points_to.of_dotted(path) | _module(path)
    return _module(ANY_MODULE)
