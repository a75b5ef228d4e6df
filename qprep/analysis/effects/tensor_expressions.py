"""Expressions whose values are tensors or numbers, by the operations that make them: these hold no module."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES
from qprep.foundation.catalogue.op import Result

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import LexicalScope

_NO_CONTAINERS = frozenset(Result) - {Result.OTHER}
_RUNTIME = "qprep.runtime_modules"
_TENSOR = frozenset((Result.TENSOR, Result.INTEGER))


def is_operation_of_torch(call: ast.Call, scope: LexicalScope) -> bool:
    """True for a call of an operation that returns tensors or numbers, by a name that imports alone bind."""
    return _result_of_function(call.func, scope) in _NO_CONTAINERS


def is_operation_module(name: str) -> bool:
    """True for the dotted name of a runtime module whose calls return tensors or numbers, as its operation does."""
    module, _, last = name.rpartition(".")
    op = load().runtime_module(last) if module == _RUNTIME else None
    return op is not None and op.dedicated is None and op.result in _NO_CONTAINERS


def is_tensor(node: ast.expr, scope: LexicalScope, followed: frozenset[str] = frozenset()) -> bool:
    """True if an expression is a tensor: an operation of torch makes it, or changes a tensor into another one."""
    match node:
        case ast.Call(func=func) if _result_of_function(func, scope) in _TENSOR:
            return True
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            return _result_of_method(name) in _TENSOR and is_tensor(value, scope, followed)
        case ast.Name(id=name) if (home := scope.binder(name)) is not None and name not in followed:
            if home is not scope or name in home.outer_names:
                return False
            inner = followed | {name}
            return all(
                binding.kind is BindingKind.VALUE
                and isinstance(binding.value, ast.expr)
                and is_tensor(binding.value, scope, inner)
                for binding in home.bindings[name]
            )
    return False


def names_operation_of_tensors(name: str) -> bool:
    """True for the name of a method of tensors, which is the name of no method of containers or of nn.Module."""
    return name not in OF_CONTAINERS | NN_MODULE_ATTRIBUTES and _result_of_method(name) in _NO_CONTAINERS


def _result_of_function(func: ast.expr, scope: LexicalScope) -> Result | None:
    dotted = _imported(func, scope)
    known = load().function(dotted) if dotted.startswith("torch.") else None
    return known[0].result if known is not None else None


def _result_of_method(name: str) -> Result | None:
    known = load().method(name)
    return known[0].result if known is not None else None


def _imported(node: ast.expr, scope: LexicalScope) -> str:
    """The dotted name of what an expression imports; nothing for any other expression."""
    match node:
        case ast.Attribute(value=value, attr=name):
            owner = _imported(value, scope)
            return f"{owner}.{name}" if owner else ""
        case ast.Name(id=name) if (home := scope.binder(name)) is not None:
            bindings = home.bindings[name]
            targets = {binding.target for binding in bindings if binding.kind is BindingKind.IMPORT}
            return targets.pop() if len(targets) == 1 and len(bindings) == 1 else ""
    return ""
