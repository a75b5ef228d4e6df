"""Code that sees which attributes a class has, or which hooks a module has: it uses the tables of these."""

from __future__ import annotations

import ast
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Below, Instance, Made, Named, Reference, References
from qprep.analysis.effects.attribute_listings import names_listed
from qprep.analysis.effects.exposures import Exposure
from qprep.analysis.effects.library_names import ANY_MODULE
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qprep.analysis.effects.lexical_scopes import FileScopes
    from qprep.analysis.effects.points_to import PointsTo

_LISTS = frozenset(("vars", "dir", "getmembers", "getmembers_static"))
_OF_HOOKS = "_forward_pre_hooks"
_TABLES = frozenset(("__dict__", _OF_HOOKS))
_TENSORS = frozenset(("Tensor", "Parameter", "Buffer"))
_OBJECTS = (Instance, Made, Below)  # what is no class


def tables(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Uses of the tables of attributes and hooks: `vars(cls)`, `x.__dict__`, `dir(x)`, `module._forward_pre_hooks`.

    The table of an instance has no new key, so uses that ask for one key, or for tensors, see nothing new in it.
    """
    for call in file.index.of(ast.Call):
        owner = call.args[0] if last_name(call.func) == "vars" and call.args else names_listed(call, file, points_to)
        if owner is not None:
            find = partial(points_to.of, owner, file.scope_of(call))
            is_blind = last_name(call.func) == "vars" and _sees_no_hooks(call, file.parents)
            yield Exposure(_but_for_instances(find) if is_blind else find, call, f"lists `{ast.unparse(call)}`")
    for node in file.index.of(ast.Attribute):
        if node.attr in _TABLES and isinstance(node.ctx, ast.Load):
            find = partial(points_to.of, node.value, file.scope_of(node))
            is_blind = node.attr == "__dict__" and _sees_no_hooks(node, file.parents)
            yield Exposure(_but_for_instances(find) if is_blind else find, node, f"reads `{ast.unparse(node)}`")


def module_names(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Code that lists the names of a module, or the classes that inherit from nn.Module: an import changes both."""
    for call in file.index.of(ast.Call):
        name, scope = last_name(call.func), file.scope_of(call)
        if not isinstance(call.func, ast.Name) or call.args or call.keywords:
            continue
        is_own = name == "globals" or (name in ("vars", "dir", "locals") and scope.parent is None)
        if is_own and not _is_of_one_key(call, file.parents):
            own = frozenset((Reference(Named(file.module)),))
            yield Exposure(partial(_same, own), call, f"lists the names of its module by `{ast.unparse(call)}`")
    listings: list[ast.Call | ast.Attribute] = [*file.index.of(ast.Call), *file.index.of(ast.Attribute)]
    for listing in listings:
        owner = _listed_owner(listing)
        if owner is not None and not _is_of_one_key(listing, file.parents):
            found = partial(_modules, partial(points_to.of, owner, file.scope_of(owner)), _key_of(owner, file.module))
            yield Exposure(found, listing, f"lists `{ast.unparse(listing)}`")


def _same(references: References) -> References:
    return references


def _listed_owner(node: ast.Call | ast.Attribute) -> ast.expr | None:
    """`model` in `vars(model)`, `dir(model)`, `model.__dict__`; `nn.Module` in `nn.Module.__subclasses__`."""
    if isinstance(node, ast.Attribute):
        return node.value if node.attr in ("__dict__", "__subclasses__") and isinstance(node.ctx, ast.Load) else None
    return node.args[0] if last_name(node.func) in _LISTS and node.args else None


def _key_of(owner: ast.expr, module: str) -> str:
    """The module that `sys.modules[key]` gives: the one of the file where the key is not written out."""
    match owner:
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return module


def _modules(find: Callable[[], References], module: str) -> References:
    """The modules and classes of other packages among some objects; `module` is what `sys.modules` gives."""
    found = frozenset(each for each in find() if isinstance(each.base, Named))
    is_any = any(isinstance(each.base, Named) and each.base.name == ANY_MODULE for each in found)
    return found | {Reference(Named(module))} if is_any else found


def _is_of_one_key(table: ast.expr, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if a use of a table reads or sets single keys, and does not show the others."""
    match parents.get(table):
        case ast.Compare(ops=[ast.In() | ast.NotIn()], left=left):
            return left is not table
        case ast.Subscript(value=value):
            return value is table
        case ast.Attribute(attr="get" | "pop" | "setdefault" | "update" | "__getitem__" | "__setitem__") as method:
            call = parents.get(method)
            return isinstance(call, ast.Call) and call.func is method
    return False


def _but_for_instances(find: Callable[[], References]) -> Callable[[], References]:
    return lambda: frozenset(each for each in find() if not isinstance(each.base, _OBJECTS))


def _sees_no_hooks(table: ast.expr, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if a use of a table of attributes is of one key that is not the hooks' own, or of tensors alone."""
    match parents.get(table):
        case ast.Compare(ops=[ast.In() | ast.NotIn()], left=left):
            return left is not table
        case ast.Subscript(value=value, slice=ast.Constant(value=key)) if value is table:
            return key != _OF_HOOKS
        case ast.Attribute(attr="get" | "pop" | "setdefault") as method:
            call = parents.get(method)
            keys = call.args[:1] if isinstance(call, ast.Call) and call.func is method else []
            return any(isinstance(key, ast.Constant) and key.value != _OF_HOOKS for key in keys)
        case ast.Attribute(attr="items" | "values") as method:
            call = parents.get(method)
            return isinstance(call, ast.Call) and call.func is method and _takes_tensors(parents.get(call), call)
    return False


def _takes_tensors(loop: ast.AST | None, listing: ast.Call) -> bool:
    """True if a comprehension over a listing tests first that the value is a tensor."""
    if not isinstance(loop, ast.comprehension) or loop.iter is not listing or not loop.ifs:
        return False
    target = loop.target.elts[-1] if isinstance(loop.target, ast.Tuple) else loop.target
    match loop.ifs[0]:
        case ast.BoolOp(op=ast.And(), values=[first, *_]):
            test = first
        case test:
            pass
    match test:
        case ast.Call(func=func, args=[ast.Name(id=name)]) if last_name(func) == "is_tensor":
            pass
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), classes]):
            parts = classes.elts if isinstance(classes, ast.Tuple) else [classes]
            if not all(last_name(part) in _TENSORS for part in parts):
                return False
        case _:
            return False
    return isinstance(target, ast.Name) and target.id == name
