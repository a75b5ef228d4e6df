"""The objects that parameters of functions may refer to."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    CHILD_NAME,
    HOLDER,
    MANY_WITH_NAMES,
    NOTHING,
    Anything,
    ClassObject,
    Instance,
    Many,
    Reference,
    References,
)
from qprep.analysis.effects.class_bases import of_computed_bases
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.implicit_calls import BINARY_METHODS
from qprep.analysis.effects.lexical_scopes import LexicalScope, assigned_value
from qprep.analysis.effects.reference_sets import union
from qprep.analysis.values.abstract_values import ClassRef


def of_parameter(evaluation: Evaluation, scope: LexicalScope, name: str) -> References:
    """The objects that a parameter of a function may refer to: arguments of its calls, its default, `self`."""
    cls = scope.owner
    arguments = scope.arguments
    positional = [*arguments.posonlyargs, *arguments.args] if arguments is not None else []
    is_first = bool(positional) and positional[0].arg == name
    if cls is not None and is_first and not scope.has_decorator("staticmethod"):
        if scope.name == "__init_subclass__":
            return frozenset(Reference(ClassObject(each)) for each in evaluation.project.subclasses(cls))
        if scope.has_decorator("classmethod") or scope.name == "__new__":
            return frozenset((Reference(ClassObject(cls)),))
        return frozenset((Reference(Instance(cls)),)) | of_computed_bases(evaluation, cls)
    if cls is not None and (scope.name == "__class_getitem__" or evaluation.is_metaclass(cls)):
        is_setter = scope.name == "__setattr__" and len(positional) == 3
        if not is_setter:
            return ANY_OBJECT
        return _set_on_classes(evaluation) if positional[2].arg == name else frozenset((CHILD_NAME,))
    found = default_of(evaluation, scope, name)
    is_packed = arguments is not None and arguments.vararg is not None and arguments.vararg.arg == name
    if is_first or (is_packed and not positional):
        found |= {Reference(Instance(cls)) for cls in evaluation.calls.decorated_methods(scope)}
    if is_first:
        found |= _of_first_parameter(evaluation, scope)
    elif cls is not None and scope.name in BINARY_METHODS:
        found |= {Reference(Instance(cls))}
    found |= {definition for parameter, definition in evaluation.calls.decorated(scope) if parameter == name}
    for value, value_scope in (*evaluation.calls.arguments(scope, name), *evaluation.implicit.arguments(scope, name)):
        found |= evaluation.get(value, value_scope)
    if found and scope.name in ("__exit__", "__aexit__"):
        found |= HOLDER  # an exception holds what it is made with
    if evaluation.calls.is_unknown(scope):
        found |= MANY_WITH_NAMES
    return found | evaluation.calls.implicit_arguments(scope)


def _set_on_classes(evaluation: Evaluation) -> References:
    """The values that assignments in any place give attributes of classes."""
    found = NOTHING
    for module in evaluation.modules:
        file = evaluation.file(module)
        for node in file.index.of(ast.Attribute) if file is not None else ():
            value = assigned_value(node, file.parents) if isinstance(node.ctx, ast.Store) and file else None
            if value is not None and file is not None and _may_be_class(evaluation, node.value, file.scope_of(node)):
                found |= evaluation.get(value, file.scope_of(node))
    for store in evaluation.stores.every_attribute_store():
        if store.owner is not None and _may_be_class(evaluation, store.owner, store.scope):
            found |= union(evaluation.get(value, store.scope) for value in store.values)
    return found


def _may_be_class(evaluation: Evaluation, node: ast.expr, scope: LexicalScope) -> bool:
    return any(isinstance(each.base, ClassObject | Anything | Many) for each in evaluation.get(node, scope))


def _of_first_parameter(evaluation: Evaluation, scope: LexicalScope) -> References:
    """The instances of a class that a function is made a method of."""
    found: set[Reference] = set()
    for value, where in evaluation.calls.receivers(scope):
        for reference in evaluation.get(value, where):
            if isinstance(reference.base, ClassObject) and isinstance(reference.base.cls, ClassRef):
                found.add(Reference(Instance(reference.base.cls)))
    return frozenset(found)


def default_of(evaluation: Evaluation, scope: LexicalScope, name: str) -> References:
    """The objects that the default of a parameter refers to."""
    arguments = scope.arguments
    if arguments is None or scope.parent is None:
        return NOTHING
    positional = [*arguments.posonlyargs, *arguments.args]
    paired = list(zip([a.arg for a in positional][::-1], arguments.defaults[::-1], strict=False))
    paired += [(a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None]
    value = dict(paired).get(name)
    return evaluation.get(value, scope.parent) if value is not None else NOTHING
