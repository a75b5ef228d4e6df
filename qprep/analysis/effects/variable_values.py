"""The objects that the bindings of a variable give it."""

from __future__ import annotations

import ast

from qprep.analysis.effects import decorations
from qprep.analysis.effects.abstract_objects import (
    HOLDER,
    NOTHING,
    Anything,
    ClassObject,
    FunctionObject,
    Instance,
    Many,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.attribute_values import attribute_of
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.lexical_scopes import ANY_ATTRIBUTE, Binding, BindingKind, LexicalScope, assigned_value
from qprep.analysis.effects.module_definitions import any_attribute, of_dotted
from qprep.analysis.effects.object_items import item_of, items_of, results_of_methods
from qprep.analysis.effects.parameter_values import of_parameter
from qprep.analysis.effects.reference_sets import classes_in, union
from qprep.analysis.effects.value_keys import KeptKey, ResultKey


def of_variable(evaluation: Evaluation, scope: LexicalScope, name: str) -> References:
    """The objects that a variable of a scope may refer to."""
    found = union(of_binding(evaluation, scope, name, binding) for binding in scope.bindings.get(name, ()))
    bindings = scope.bindings.get(name, ())
    if bindings and all(b.kind in (BindingKind.IMPORT, BindingKind.DEFINITION) for b in bindings):
        return found
    if name == scope.receiver and scope.owner is not None and not evaluation.may_keep_items(scope.owner):
        return found
    found |= evaluation.get(KeptKey(scope, name))
    return found | _set_in_module(evaluation, scope, name) if scope.parent is None else found


def of_binding(evaluation: Evaluation, scope: LexicalScope, name: str, binding: Binding) -> References:
    """The values that one binding gives a name."""
    value = binding.value
    if binding.kind is BindingKind.PARAMETER:
        return of_parameter(evaluation, scope, name)
    if binding.kind is BindingKind.IMPORT:
        return of_dotted(evaluation, binding.target)
    if binding.kind is BindingKind.DEFINITION:
        return _of_definition(evaluation, scope, value) if value is not None else NOTHING
    if not isinstance(value, ast.expr):
        return NOTHING
    found = evaluation.get(value, binding.home(scope))
    match binding.kind:
        case BindingKind.ITEM:
            return item_of(evaluation, found, name, scope.file.parents.get(value))
        case BindingKind.PATTERN:
            return _of_pattern(evaluation, items_of(evaluation, found), binding.target)
        case BindingKind.ENTERED:
            return found | results_of_methods(evaluation, found, "__enter__", "__aenter__")
        case BindingKind.RAISED:
            return _of_exception(evaluation, found)
    return found


def _of_pattern(evaluation: Evaluation, found: References, attribute: str) -> References:
    if not attribute:
        return found
    return found | (
        any_attribute(evaluation, found) if attribute == ANY_ATTRIBUTE else attribute_of(evaluation, found, attribute)
    )


def _of_exception(evaluation: Evaluation, classes: References) -> References:
    """A caught exception: an instance of the classes, with what any exception is made with."""
    made = {Reference(Instance(cls)) for cls in classes_in(classes)}
    given = union(evaluation.get(value, where) for value, where in evaluation.stores.raised)
    return frozenset(made) | (given | HOLDER if given else NOTHING)


def _set_in_module(evaluation: Evaluation, scope: LexicalScope, name: str) -> References:
    """The values of a module's variable elsewhere: `package.module.name = value`, `globals()[name] = value`."""
    found = NOTHING
    for node, where in evaluation.names.stores(evaluation, name):
        value = assigned_value(node, where.file.parents)
        if value is None or evaluation.is_own(node, where):
            continue
        holders = evaluation.get(node.value, where)
        if any(isinstance(each.base, Named | Anything | Many) for each in holders):
            found |= evaluation.get(value, where)
    for store in evaluation.stores.attribute_stores(name):
        if store.owner is None and store.scope.file is scope.file:
            found |= union(evaluation.get(value, store.scope) for value in store.values)
    return found


def _of_definition(evaluation: Evaluation, scope: LexicalScope, node: ast.AST) -> References:
    if isinstance(node, ast.ClassDef):
        cls = scope.file.class_of(node)
        return frozenset((Reference(ClassObject(cls)),)) if cls is not None else NOTHING
    inner = scope.file.defined(node)
    if inner is None:
        return NOTHING
    found = frozenset((Reference(FunctionObject(inner)),))
    registered = evaluation.stores.registered.get((scope, inner.name), ())
    found |= {Reference(FunctionObject(each)) for each in registered}
    # A decorator of the project may put another function in its place.
    for decorator in getattr(node, "decorator_list", ()):
        for reference in evaluation.get(decorator, scope):
            if not isinstance(reference.base, ClassObject):
                found |= union(
                    evaluation.get(ResultKey(each)) for each in decorations.run_by(reference, evaluation.method)
                )
    return found
