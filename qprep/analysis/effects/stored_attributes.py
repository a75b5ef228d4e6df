"""The values of attributes by the assignments to them: on `self`, on other objects, by computed names."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import (
    NOTHING,
    ClassObject,
    Instance,
    Named,
    Reference,
    References,
    may_be_of,
)
from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.kept_values import kept_by_callees, kept_in_attribute, may_set, values_added
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.library_names import ROOTS
from qprep.analysis.effects.object_items import results_of_methods
from qprep.analysis.effects.python_classes import may_keep
from qprep.analysis.effects.reference_sets import classes_of, union
from qprep.analysis.effects.stored_values import AttributeStore
from qprep.analysis.effects.value_keys import ComputedKey, GivenKey, KeptKey
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import ClassRef, External


def of_stored(evaluation: Evaluation, cls: ClassRef | None, attribute: str) -> References:
    """The values of all assignments to the attribute: on `self` in the family of a class, or on any object."""
    family = evaluation.family(cls) if cls is not None else None
    found = kept_in_attribute(evaluation, attribute, family) | kept_by_callees(evaluation, attribute, family)
    for node, scope, value in evaluation.assignments(attribute):
        if family is not None and not may_set(evaluation, node, scope, family):
            continue
        found |= evaluation.get(value, scope) if value is not None else NOTHING
    found |= _set_by_name(evaluation, attribute, family)
    if cls is not None:
        for base in evaluation.project.mro(cls):
            entry = evaluation.project.class_node(base) if isinstance(base, ClassRef) else None
            file = evaluation.file(base.module) if isinstance(base, ClassRef) else None
            value = entry.values.get(attribute) if entry is not None else None
            inner = file.defined(entry.node) if entry is not None and file is not None else None
            found |= evaluation.get(value, inner) if value is not None and inner is not None else NOTHING
        found |= _of_field(evaluation, cls, attribute)
    return found | results_of_methods(evaluation, found, "__get__")


def _set_by_name(evaluation: Evaluation, attribute: str, family: frozenset[ClassRef] | None) -> References:
    """The values of an attribute that is set by a computed name, on an object that may be of a family."""
    found = NOTHING
    for store in evaluation.stores.attribute_stores(attribute):
        if store.of_modules and family is not None and not any(map(evaluation.may_be_module, family)):
            continue
        if isinstance(family, frozenset) and _is_below_others(evaluation, store, family):
            continue
        if store.owner is not None and (family is None or may_be_of(evaluation.get(store.owner, store.scope), family)):
            found |= union(evaluation.get(value, store.scope) for value in store.values)
    return found


def attached_to(evaluation: Evaluation, holder: ClassRef | str) -> References:
    """The values that code outside gives attributes of objects of a class."""
    if isinstance(holder, ClassRef):
        return _attached_to_instances(evaluation, evaluation.family(holder))
    found = evaluation.get(ComputedKey(holder))
    for store in evaluation.stores.named_stores():
        if store.owner is not None and may_be_of(evaluation.get(store.owner, store.scope), holder):
            found |= union(evaluation.get(value, store.scope) for value in store.values)
    for value, node, where in evaluation.set_outside_of_methods:
        if may_keep(holder, node.attr) and (kept := evaluation.get(value, where)):
            found |= kept if may_be_of(evaluation.get(node.value, where), holder) else NOTHING
    return found


def _attached_to_instances(evaluation: Evaluation, family: frozenset[ClassRef]) -> References:
    found = NOTHING
    for store in evaluation.stores.named_stores():
        if store.owner is not None and not family.isdisjoint(
            classes_of(evaluation.get(store.owner, store.scope)),
        ):
            found |= union(evaluation.get(value, store.scope) for value in store.values)
    for value, node, where in evaluation.set_outside_of_methods:
        if not family.isdisjoint(classes_of(evaluation.get(node.value, where))):
            found |= evaluation.get(value, where)
    return found


def of_computed(evaluation: Evaluation, holder: ClassRef | str, attribute: str | None = None) -> References:
    """The same, for a class of the project, or a class of another package by its name."""
    family = evaluation.family(holder) if isinstance(holder, ClassRef) else holder
    found = NOTHING
    for store in evaluation.stores.computed_stores(attribute):
        if store.of_modules and isinstance(family, frozenset) and not any(map(evaluation.may_be_module, family)):
            continue
        if isinstance(family, frozenset) and _is_below_others(evaluation, store, family):
            continue
        if store.owner is not None and may_be_of(evaluation.get(store.owner, store.scope), family):
            found |= union(evaluation.get(value, store.scope) for value in store.values)
    return found


def _of_field(evaluation: Evaluation, cls: ClassRef, attribute: str) -> References:
    """The attributes of instances whose constructor is generated: dataclasses, tuples."""
    if (
        evaluation.method(cls, "__init__")
        or evaluation.method(cls, "__new__")
        or evaluation.is_module(cls)
        or evaluation.is_enum(cls)
    ):
        return NOTHING
    return evaluation.get(GivenKey(cls, attribute if _is_dataclass(evaluation, cls) else None))


def _is_dataclass(evaluation: Evaluation, cls: ClassRef) -> bool:
    """True if the constructor of a class sets each field to the argument of its name, and does nothing else."""
    bases = [base for base in evaluation.project.mro(cls) if not (isinstance(base, External) and base.name in ROOTS)]
    owns = [base for base in bases if isinstance(base, ClassRef)]
    is_plain = len(owns) == len(bases) and not any(evaluation.own_method(base, "__post_init__") for base in owns)
    return is_plain and all(_is_decorated_as_dataclass(evaluation, each) for each in owns)


def _is_decorated_as_dataclass(evaluation: Evaluation, cls: ClassRef) -> bool:
    entry, body = evaluation.project.class_node(cls), evaluation.body(cls)
    if entry is None or body is None or body.parent is None or len(entry.node.decorator_list) != 1:
        return False
    (decorator,) = entry.node.decorator_list
    made = evaluation.get(decorator.func if isinstance(decorator, ast.Call) else decorator, body.parent)
    return made == {Reference(Named("dataclasses.dataclass"))} and not entry.node.keywords


def given_to_class(evaluation: Evaluation, cls: ClassRef, field: str | None) -> References:
    """The arguments of all calls of a class, or for one field, and what its methods put into their own object."""
    found = NOTHING
    for node, file in evaluation.calls.meanings(DefinitionName.parse(cls.name).name).classes.get(cls, ()):
        parent = file.parents.get(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            scope = file.scope_of(parent)
            values = [*parent.args, *(k.value for k in parent.keywords if field is None or k.arg in (None, field))]
            found |= union(evaluation.get(value, scope) for value in values)
    bases = (base for base in evaluation.project.mro(cls) if isinstance(base, ClassRef))
    return found | union(
        values_added(evaluation, each) for base in bases for each in evaluation.stores.of_instances(base)
    )


def _is_below_others(evaluation: Evaluation, store: AttributeStore, family: frozenset[ClassRef]) -> bool:
    """True if `m._modules[name] = …` is of any name, and `m` is no known instance of a family.

    It is an effect on each attribute of the modules that `m` may be; its values are not followed.
    """
    if not store.of_modules or ANY_NAME not in store.names or store.owner is None:
        return False
    owners = evaluation.get(store.owner, store.scope)
    return not any(isinstance(each.base, Instance) and each.base.cls in family for each in owners)


def given_outside(evaluation: Evaluation, name: str, of_foreign: bool) -> References:
    """The values of an attribute on other objects than `self`; `of_foreign`: on an object of another package."""
    found = evaluation.get(KeptKey(None, name))
    for store in evaluation.stores.attribute_stores(name):
        if store.owner is not None and not (of_foreign and _is_of_project(evaluation, store.owner, store.scope)):
            found |= union(evaluation.get(value, store.scope) for value in store.values)
    for node, where, value in evaluation.assignments(name):
        if value is not None and not evaluation.own_class(node, where)[0]:
            found |= evaluation.get(value, where)
    return found


def _is_of_project(evaluation: Evaluation, node: ast.expr, scope: LexicalScope) -> bool:
    """True if an expression refers to objects of classes of the project alone."""
    found = evaluation.get(node, scope)
    return bool(found) and all(isinstance(each.base, Instance | ClassObject) for each in found)
