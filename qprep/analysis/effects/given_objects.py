"""Objects that a caller gives a parameter whose default is a number or a text: `act=False`, `Box(act=net.act)`.

The interpreter takes the kind of such a parameter from its default. Here the arguments count that a call makes or names
itself; what a caller only passes on from a parameter of its own does not.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from qprep.analysis.effects.abstract_objects import Base, ClassObject, FunctionObject, Instance, Made, References
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.lexical_scopes import BindingKind, LexicalScope
from qprep.analysis.effects.reference_sets import union
from qprep.analysis.effects.value_keys import GivenObjectsKey
from qprep.analysis.values.abstract_values import ClassRef

_OBJECTS = (ClassObject, FunctionObject, Instance, Made)


def is_given_objects(evaluation: Evaluation, attribute: str, family: Collection[ClassRef] | None) -> bool:
    """True if a method of a class of a family, or (None) of any, stores such an object in an attribute of its own."""
    return any(
        evaluation.get(GivenObjectsKey(scope, name))
        for owner, scope, name in _stored_parameters(evaluation, attribute)
        if family is None or owner in family
    )


def objects_given(evaluation: Evaluation, function: LexicalScope, name: str) -> References:
    """The objects that calls of a function make or name as the argument of a parameter."""
    arguments = evaluation.calls.arguments(function, name)
    found = union(evaluation.get(value, where) for value, where in arguments if _is_direct(value, where))
    return frozenset(each for each in found if isinstance(each.base, _OBJECTS) and not _is_run(each.base, function))


def _is_run(base: Base, function: LexicalScope) -> bool:
    """True for a function itself, or its class: `partial(Box, 2)` gets the class as one of the arguments."""
    match base:
        case FunctionObject(scope=scope):
            return scope is function
        case ClassObject(cls=cls):
            return cls == function.owner
    return False


def _stored_parameters(evaluation: Evaluation, attribute: str) -> list[tuple[ClassRef, LexicalScope, str]]:
    """The parameters that methods store in an attribute of their own object: class, method, name."""
    if attribute not in evaluation.stored_parameters:
        evaluation.stored_parameters[attribute] = list(_find_stored_parameters(evaluation, attribute))
    return evaluation.stored_parameters[attribute]


def _find_stored_parameters(evaluation: Evaluation, attribute: str) -> Iterator[tuple[ClassRef, LexicalScope, str]]:
    for node, scope, value in evaluation.assignments(attribute):
        is_own, owner = evaluation.own_class(node, scope)
        if is_own and owner is not None and value is not None:
            yield from ((owner, home, name) for home, name in _parameters_in(value, scope))


def _parameters_in(node: ast.expr, scope: LexicalScope) -> Iterator[tuple[LexicalScope, str]]:
    """The parameters that an expression may be, or of which it is a list, tuple or dictionary."""
    match node:
        case ast.Name(id=name):
            home = scope.binder(name)
            if home is not None and any(each.kind is BindingKind.PARAMETER for each in home.bindings[name]):
                yield home, name
        case ast.IfExp(body=body, orelse=orelse):
            yield from _parameters_in(body, scope)
            yield from _parameters_in(orelse, scope)
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Dict(values=parts):
            for part in parts:
                yield from _parameters_in(part, scope)


def _is_direct(node: ast.expr, scope: LexicalScope) -> bool:
    """True if a call makes an argument, or reads it from a variable that is no parameter, or behind one."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if not isinstance(node, ast.Name):
        return isinstance(node, ast.Call)
    home = scope.binder(node.id)
    return home is not None and all(each.kind is not BindingKind.PARAMETER for each in home.bindings[node.id])
