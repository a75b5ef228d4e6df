"""Parameters of `forward` that may be objects other than tensors, by what the method does with them.

A call of a module gives tensors, as a rule. So the arguments of such calls are followed only where the method, or a
function that it gives a parameter to, uses it as a module or as an object of the project: calls it, reads an attribute
that these have and tensors lack, sets one, shows its text.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import FunctionObject, Instance, Named
from qprep.analysis.effects.call_arguments import bound
from qprep.analysis.effects.call_uses import Derived
from qprep.analysis.effects.tensor_expressions import is_operation_of_torch, names_operation_of_tensors
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES

if TYPE_CHECKING:
    from qprep.analysis.effects.abstract_objects import Reference
    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.effects.object_queries import ObjectQueries

# Attributes that tensors have as modules do, and those that are no operations of the catalogue.
_OF_TENSORS = frozenset(
    ["T", "apply_", "bfloat16", "clone", "contiguous", "cpu", "cuda", "detach", "device", "dim", "double", "dtype",
     "float", "grad", "half", "int", "item", "ndim", "numel", "numpy", "register_hook", "requires_grad",
     "requires_grad_", "shape", "share_memory", "size", "stride", "to", "tolist", "type", "view"]
)  # fmt: skip
_READS = frozenset(("delattr", "dir", "format", "getattr", "hasattr", "repr", "setattr", "str", "vars"))
_GIVE_ITEMS = frozenset(("enumerate", "iter", "list", "next", "reversed", "sorted", "tuple", "zip"))
_CHANGES = ("copy.", "torch.ao.", "torch.fx.", "torch.jit.", "torch.nn.utils.", "torch.quantization.")


def takes_objects(points_to: ObjectQueries, function: LexicalScope, name: str) -> bool:
    """True if a function uses a parameter, or another variable, as an object that is no tensor."""
    key = Derived("takes objects", (function, name))
    return points_to.derived(key, lambda: _is_used_as_object(points_to, function, name), False)


def _is_used_as_object(points_to: ObjectQueries, function: LexicalScope, name: str) -> bool:
    return any(_is_of_object(points_to, node, function) for node in points_to.calls.reads(function, name))


def _is_of_object(points_to: ObjectQueries, node: ast.AST, function: LexicalScope) -> bool:
    parent = function.file.parents.get(node)
    match parent:
        case ast.Attribute(attr=attribute):
            return _is_of_modules(points_to, attribute)
        case ast.Call(func=func) if func is node:
            return True
        case ast.Call():
            return _is_given_as_object(points_to, parent, node, function)
        case ast.Assign(targets=[ast.Name(id=other)]) | ast.NamedExpr(target=ast.Name(id=other)):
            return takes_objects(points_to, function.file.scope_of(parent), other)
        case ast.For(target=target, iter=listed) | ast.comprehension(target=target, iter=listed) if listed is node:
            names = [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
            return any(takes_objects(points_to, function.file.scope_of(target), each) for each in names)
        case ast.keyword() | ast.Starred() | ast.List() | ast.Tuple() | ast.Subscript() | ast.IfExp() | ast.BoolOp():
            return _is_of_object(points_to, parent, function)
    return isinstance(parent, ast.FormattedValue)


def _is_of_modules(points_to: ObjectQueries, attribute: str) -> bool:
    """True for an attribute that modules or objects of the project have, and that tensors lack."""
    if attribute in _OF_TENSORS:
        return False
    if points_to.names.is_method(attribute):
        return True
    if names_operation_of_tensors(attribute):
        return False
    return attribute in NN_MODULE_ATTRIBUTES or any(True for _ in points_to.names.holders(attribute))


def _is_given_as_object(points_to: ObjectQueries, call: ast.Call, node: ast.AST, function: LexicalScope) -> bool:
    """True if a call may use what it is given as no tensor is used."""
    scope = function.file.scope_of(call)
    if isinstance(call.func, ast.Name) and call.func.id in _GIVE_ITEMS:
        return _is_of_object(points_to, call, function)
    if isinstance(call.func, ast.Name) and call.func.id in _READS:
        return True
    if is_operation_of_torch(call, scope):
        return False
    callees = points_to.known(call.func, scope)
    return callees is not None and any(_may_use(points_to, each, call, node) for each in callees)


def _may_use(points_to: ObjectQueries, callee: Reference, call: ast.Call, node: ast.AST) -> bool:
    match callee.base:
        case Instance(cls=cls):
            runs: list[tuple[LexicalScope, tuple[int, ...]]] = [
                (each, (1,)) for name in ("forward", "__call__") for each in points_to.method(cls, name)
            ]
        case FunctionObject(scope=scope):
            runs = [(scope, (0, 1) if scope.owner is not None else (0,))]
        case Named(name=name):
            return name.startswith(_CHANGES)
        case _:
            return False
    return any(
        takes_objects(points_to, scope, name)
        for scope, shifts in runs
        for name in scope.bindings
        if name != scope.receiver and any(value is node for value in bound(call, scope, name, shifts))
    )
