"""Uses of the length or the items of objects whose class inherits from a container of torch.nn."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Below, Instance, Made, Reference, References
from qprep.analysis.effects.definitions import is_torch_container
from qprep.analysis.effects.exposures import Exposure
from qprep.analysis.effects.lexical_scopes import Binding, BindingKind, LexicalScope, assigned_value
from qprep.analysis.effects.mutator_names import TABLES
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import argument_values
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes
    from qprep.analysis.effects.points_to import PointsTo

_ITERATES = frozenset(("enumerate", "iter", "len", "list", "map", "next", "reversed", "set", "sorted", "tuple", "zip"))
_COLLECTS = _ITERATES - {"next"} | {"dict", "filter", "range"}  # what they return is no item
_ASKS_CLASS = frozenset(("isinstance", "issubclass"))
_JOINING = (ast.Add, ast.Mult)  # blocks + others, blocks * 2
# Methods of containers that go through the items, or give a new one a name or a place by their number.
_CONTAINER_METHODS = frozenset(
    ["__add__", "__delitem__", "__getitem__", "__iter__", "__len__", "__setitem__", "append", "clear", "extend",
     "insert", "items", "keys", "pop", "popitem", "update", "values"]
)  # fmt: skip
# Methods of containers, dictionaries and modules that return an iterable of their items.
_VIEWS = frozenset(("children", "items", "keys", "modules", "named_children", "named_modules", "values"))
_DISPLAYS = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp,
             ast.SetComp, ast.GeneratorExp, ast.Compare, ast.Lambda)  # fmt: skip
_MAX_STEPS = 6


@dataclass(frozen=True, slots=True)
class _ItemUse:
    """An expression whose items or length code uses, or may change, and where; `of_items`: those of each item."""

    node: ast.expr | ast.stmt
    value: ast.expr
    of_items: bool = False


def container_uses(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Lengths, items and iterations of objects whose class inherits from a container of torch.nn.

    A class's uses of its own `self` are left out: the rewrite of the class takes care of them.
    """
    if not points_to.own_containers:
        return
    for use in (*_in_calls(file), *_in_syntax(file)):
        value, scope = use.value, file.scope_of(use.value)
        if isinstance(value, _DISPLAYS) or (isinstance(value, ast.Name) and value.id == points_to.receiver(scope)):
            continue
        text = f"uses the items of `{ast.unparse(value)}`"
        yield Exposure(partial(_children_used, points_to, use, scope), use.node, text)


def _in_calls(file: FileScopes) -> Iterator[_ItemUse]:
    for call in file.index.of(ast.Call):
        scope = file.scope_of(call)
        match call.func:
            case ast.Name(id=name) if name in _ITERATES:
                yield from (_ItemUse(call, argument) for argument in call.args)
            case ast.Attribute(attr="forward"):
                yield from (_ItemUse(call, argument) for argument in call.args[:1])  # nn.Sequential.forward(blocks, x)
            case ast.Attribute(value=value, attr=name) if name in _CONTAINER_METHODS:
                yield _ItemUse(call, value)
        given = argument_values(call)
        if any(_is_builtin(each, scope, _ITERATES) for each in given) and not _is_builtin(
            call.func, scope, _ASKS_CLASS
        ):
            yield from (_ItemUse(call, each, of_items=True) for each in given)  # map(len, blocks), max(blocks, key=len)


def _in_syntax(file: FileScopes) -> Iterator[_ItemUse]:
    for loop in file.index.of(ast.For):
        yield _ItemUse(loop, loop.iter)
    for generator in file.index.of(ast.comprehension):
        yield _ItemUse(generator.iter, generator.iter)
    for item in file.index.of(ast.Subscript):
        # A text or a number from the front means the same child whatever is added behind it.
        if isinstance(item.ctx, ast.Del) or not isinstance(item.slice, ast.Constant):
            yield _ItemUse(item, item.value)
    for star in file.index.of(ast.Starred):
        yield _ItemUse(star, star.value)
    for operation in file.index.of(ast.BinOp):
        if isinstance(operation.op, _JOINING):
            yield from (_ItemUse(operation, operand) for operand in (operation.left, operation.right))
    for added in file.index.of(ast.AugAssign):
        if isinstance(added.op, _JOINING):
            yield _ItemUse(added, added.target)


def _children_used(points_to: PointsTo, use: _ItemUse, scope: LexicalScope) -> References:
    """The children of the own containers that an expression may be.

    An expression that is a collection also refers to the items. These are not used, unless `use.of_items`.
    """
    if not use.of_items and not may_be_item(use.value, scope, points_to):
        return frozenset()
    return frozenset(
        Reference(Below(Instance(cls), is_direct=True))
        for each in points_to.of(use.value, scope)
        for cls in _own_containers(points_to, each)
    )


def _own_containers(points_to: PointsTo, reference: Reference) -> Iterator[ClassRef]:
    match reference.base:
        case Instance(cls=cls) if points_to.is_container(cls):
            yield cls
        case Below():  # a module of any class
            yield from points_to.own_containers


def may_be_item(node: ast.expr, scope: LexicalScope, points_to: PointsTo, steps: int = _MAX_STEPS) -> bool:
    """True unless an expression is known to be a collection, and so none of its items.

    Collections are displays, results of builtins such as `list`, views such as `blocks.items()`, slices, and containers
    that the code makes of classes of torch.nn. With too many steps to tell, the answer is True.
    """
    if steps == 0:
        return True
    match node:
        case ast.Subscript(value=value, slice=ast.Slice()):
            return may_be_item(value, scope, points_to, steps - 1)
        case ast.Call():
            return not _is_collecting(node, scope, points_to)
        case ast.IfExp(body=body, orelse=orelse):
            return any(may_be_item(each, scope, points_to, steps - 1) for each in (body, orelse))
        case ast.Name(id=name):
            home = scope.binder(name)
            return home is None or any(_may_bind_item(each, home, points_to, steps - 1) for each in home.bindings[name])
        case ast.Attribute(attr=name) if name in TABLES:
            return False  # code that goes through `_modules` counts as a visit of children
        case ast.Attribute(attr=name):
            stored = [
                (assigned_value(store, where.file.parents), where)
                for store, where in points_to.names.stores(points_to, name)
            ]
            return not stored or any(
                value is None
                or not _is_bound_whole(value, where.file)
                or may_be_item(value, where, points_to, steps - 1)
                for value, where in stored
            )
    return not isinstance(node, _DISPLAYS)


def _may_bind_item(binding: Binding, home: LexicalScope, points_to: PointsTo, steps: int) -> bool:
    if binding.kind is BindingKind.VALUE and isinstance(binding.value, ast.expr):
        is_whole = _is_bound_whole(binding.value, home.file)
        return not is_whole or may_be_item(binding.value, binding.home(home), points_to, steps)
    return binding.kind not in (BindingKind.IMPORT, BindingKind.DEFINITION)


def _is_bound_whole(value: ast.expr, file: FileScopes) -> bool:
    """False if names may be bound to parts of a value: `first, second = list(blocks)`."""
    match file.parents.get(value):
        case ast.Assign(targets=targets):
            return all(isinstance(target, ast.Name | ast.Attribute) for target in targets)
        case ast.AnnAssign() | ast.NamedExpr():
            return True
    return False


def _is_collecting(call: ast.Call, scope: LexicalScope, points_to: PointsTo) -> bool:
    """True for a call of a builtin, a view or a constructor of a container of torch.nn, which returns a collection."""
    if _is_builtin(call.func, scope, _COLLECTS):
        return True
    if isinstance(call.func, ast.Attribute) and call.func.attr in _VIEWS:
        return not points_to.has_method(call.func.attr)
    place = Place.of(scope.file.module, call)
    made = (each.base for each in points_to.of(call, scope) if isinstance(each.base, Made))
    return any(base.place == place and is_torch_container(base.name) for base in made)


def _is_builtin(node: ast.expr, scope: LexicalScope, names: frozenset[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names and scope.binder(node.id) is None
