"""Parameters that a module's `forward` may return as they are: whoever calls the module gets its own object back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.effects.tensor_expressions import is_operation_of_torch, names_operation_of_tensors
from qprep.foundation.catalogue.module_attributes import VALUES_OF_TENSORS

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import LexicalScope

RETURNS_SELF = frozenset(
    ["apply", "bfloat16", "cpu", "cuda", "double", "eval", "float", "half", "requires_grad_", "share_memory", "to",
     "train", "type"]
)  # fmt: skip
"""Methods of nn.Module that return their object."""

_PACKS = frozenset(("dict", "enumerate", "iter", "list", "reversed", "sorted", "tuple", "zip"))


def may_hand_back(function: LexicalScope) -> bool:
    """True if a function may return a parameter, an attribute or item of it, or something that holds one.

    Assumes that a variable which is bound to another value holds the result of a computation, and that a parameter
    with which the function computes somewhere is a tensor.
    """
    names = {name for value in function.returned for name in _names_returned(value)} - {function.receiver}
    return any(_is_plain_parameter(name, function) and not _is_computed_with(name, function) for name in names)


def _names_returned(node: ast.expr) -> Iterator[str]:
    """The variables that an expression may return, or parts of them."""
    waiting = [node]
    while waiting:
        match waiting.pop():
            case ast.Name(id=name):
                yield name
            case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                waiting.append(value)
            case ast.NamedExpr(value=value) | ast.DictComp(value=value):
                waiting.append(value)
            case ast.IfExp(body=body, orelse=orelse):
                waiting += [body, orelse]
            case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
                waiting += parts
            case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part):
                waiting.append(part)
            case ast.Call(func=ast.Name(id=name), args=parts) if name in _PACKS:
                waiting += parts
            case _:
                pass


def _is_plain_parameter(name: str, function: LexicalScope) -> bool:
    """True if every binding of a variable leaves it the object that the caller gave."""
    bindings = function.bindings.get(name, ())
    others = [binding for binding in bindings if binding.kind is not BindingKind.PARAMETER]
    return len(others) < len(bindings) and all(_is_same(binding.value, name) for binding in others)


def _is_same(value: ast.AST | None, name: str) -> bool:
    """True if a value may be the object of a variable itself: `model.eval()`."""
    match value:
        case ast.Name(id=other):
            return other == name
        case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in RETURNS_SELF:
            return _is_same(inner, name)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_same(body, name) or _is_same(orelse, name)
        case ast.BoolOp(values=values):
            return any(_is_same(each, name) for each in values)
    return False


def _is_computed_with(name: str, function: LexicalScope) -> bool:
    """True if a function uses a variable as a tensor: in arithmetic, by a method or an operation of tensors."""
    parents = function.file.parents
    reads = (part for part in ast.walk(function.node) if isinstance(part, ast.Name) and part.id == name)
    return any(_is_tensor_use(read, parents.get(read), function) for read in reads)


def _is_tensor_use(read: ast.Name, parent: ast.AST | None, function: LexicalScope) -> bool:
    match parent:
        case ast.BinOp() | ast.UnaryOp(op=ast.USub() | ast.Invert()):
            return True
        case ast.Attribute(attr=name):
            return name in VALUES_OF_TENSORS or names_operation_of_tensors(name)
        case ast.Call() if parent.func is not read:
            return is_operation_of_torch(parent, function)
    return False
