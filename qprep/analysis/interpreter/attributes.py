"""Attributes of self: what __init__ puts there, where it is made, and what a name on an instance means."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing
from qprep.analysis.facts import HeldFunction
from qprep.analysis.interpreter import instances, registered_functions
from qprep.analysis.interpreter.attribute_table import Creation
from qprep.analysis.interpreter.environment import rooted
from qprep.analysis.symbols.definition_names import variants
from qprep.analysis.symbols.parameter_names import PARAMETER_NAMES
from qprep.analysis.values.abstract_values import (
    INT,
    OTHER,
    PARAMETER,
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Module,
    Object,
    Partial,
    Property,
    Super,
    flowing,
    join_all,
    modules_of,
    options,
    tensor_of,
)
from qprep.analysis.values.closure_values import Closure

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import ClassNode

APPLY = "torch.autograd.Function.apply"
PROPERTIES = frozenset(("builtins.property", "functools.cached_property", "torch.jit.unused_property"))


def store(analysis: Analysis, frame: Frame, target: ast.Attribute, value: Kind, node: ast.expr | None) -> None:
    """`owner.name = value`."""
    owner = analysis.evaluate(frame, target.value)
    for option in options(owner):
        if isinstance(option, Module) and option.is_self and isinstance(option.cls, ClassRef):
            bind(analysis, frame, option.cls, target.attr, value, node)
        elif isinstance(option, Object):
            instances.store(analysis, frame, option, target, value)


def bind(analysis: Analysis, frame: Frame, cls: ClassRef, name: str, value: Kind, node: ast.expr | None) -> None:
    """Add `self.name` to the class under evaluation."""
    creation = None
    if node is not None:
        creation = Creation(frame.place(node), frame.unit, frame.function, value)
        unsettled = [option for option in options(value) if not aliasing.is_settled(analysis, cls, name, option)]
        if unsettled:
            new = [] if aliasing.is_only_collected(analysis, cls, name, frame.function) else unsettled
            aliasing.stored(analysis, frame, value, node, "attribute", new)
    analysis.attributes_of(cls).add(name, _owned(value), creation)


def _owned(value: Kind) -> Kind:
    """A module that was reached through self keeps that as its origin under the new name."""
    if isinstance(value, Module) and value.is_common:
        return Module(value.cls, value.path, aliasing.place_of(value), value.item, value.loops)
    if isinstance(value, Module) and value.path and value.origin is None and not value.path.may_be_many:
        return Module(value.cls, value.path, value.path, value.item, value.loops)
    return value


def module_attribute(analysis: Analysis, frame: Frame, value: Module, name: str) -> Kind:
    """`module.name`, for a module of torch.nn, of the project, or an unknown one."""
    if isinstance(value.cls, ClassRef):
        return class_attribute(analysis, value.cls, value, name)
    if name in PARAMETER_NAMES:
        return PARAMETER
    if name == "training":
        return INT
    if value.item is not None and value.path is not None:
        return rooted(value.item, value.path.attribute(name))
    return UNKNOWN


def class_attribute(analysis: Analysis, cls: ClassRef, bound: Kind, name: str) -> Kind:
    """`name` looked up on an instance (or the class itself) of a project class."""
    if isinstance(bound, Module):
        table = analysis.attributes_of(cls)
        entry = table.names.get(name)
        if entry is not None:
            path = bound.path
            return entry.kind if path is None else rooted(entry.kind, path.attribute(name), path)
        if name == "training":
            return INT
    if isinstance(bound, Object) and (kept := instances.attribute(analysis, bound, name)) is not None:
        return kept
    found = _inherited(analysis, analysis.project.mro(cls), bound, name)
    if isinstance(found, Module) and found.path is None and isinstance(bound, Module) and bound.path is not None:
        return rooted(found, bound.path.attribute(name))
    if found is not None:
        return found
    if isinstance(bound, Module):
        table = analysis.attributes_of(cls)
        if table.dynamic is not None and bound.path is not None:
            return rooted(table.dynamic, bound.path.attribute(name))
    return UNKNOWN


def _inherited(analysis: Analysis, chain: tuple[Kind, ...], bound: Kind, name: str) -> Kind | None:
    """A method, property or class attribute from the first class of `chain` that has it."""
    for base in chain:
        if isinstance(base, External):
            if base.name.startswith("torch.nn.") and name in PARAMETER_NAMES:
                return PARAMETER
            if base.name.startswith("torch.autograd.") and name == "apply":
                return External(APPLY)
            continue
        if not isinstance(base, ClassRef) or not _may_have(analysis, base, name):
            continue
        entry = analysis.project.class_node(base)
        index = analysis.project.index(base.module)
        if entry is None or index is None:
            continue
        if f"{base.name}.{name}" in index.classes:
            return ClassRef(base.module, f"{base.name}.{name}")
        if name in entry.methods:
            return join_all(_method(analysis, base, entry, other, bound) for other in variants(entry.methods, name))
        if isinstance(bound, Object) and (field := instances.field(analysis, base, name)) is not None:
            return flowing(field, bound.flow)
        if name in entry.values:
            values = [entry.values[other] for other in variants(entry.values, name)]
            value = join_all(_class_value(analysis, base, value, bound) for value in values)
            return registered_functions.with_registered(analysis, index, base.name, name, value)
        if name in entry.annotations:
            kind = analysis.annotated(index, entry.annotations[name])
            return PARAMETER if kind is not None and tensor_of(kind) is not None else kind
    return None


def _may_have(analysis: Analysis, base: ClassRef, name: str) -> bool:
    """True if the body of a class binds or annotates a name; nothing is parsed for it."""
    surface, entry = analysis.project.surface(base.module), analysis.project.class_summary(base)
    if surface is None or entry is None:
        return False
    return name in (*entry.methods, *entry.values, *entry.annotations) or f"{base.name}.{name}" in surface.classes


def _method(analysis: Analysis, base: ClassRef, entry: ClassNode, name: str, bound: Kind) -> Kind:
    decorators = analysis.decorators(base.module, entry.methods[name])
    ref = f"{base.name}.{name}"
    if "builtins.staticmethod" in decorators:
        return FunctionRef(base.module, ref)
    if not PROPERTIES.isdisjoint(decorators):
        return Property(FunctionRef(base.module, ref, bound))
    if "builtins.classmethod" in decorators or not isinstance(bound, ClassRef):
        return FunctionRef(base.module, ref, bound)
    return FunctionRef(base.module, ref)


def _class_value(analysis: Analysis, base: ClassRef, node: ast.expr, bound: Kind) -> Kind:
    """A class-level binding: another name of a method, or a value shared by all instances."""
    entry = analysis.project.class_node(base)
    if isinstance(node, ast.Name) and entry is not None and node.id in entry.methods:
        return FunctionRef(base.module, f"{base.name}.{node.id}", bound)
    value = analysis.class_value(base, node)
    return join_all(_as_method(option, bound) for option in options(value)) if _is_instance(bound) else value


def _is_instance(bound: Kind) -> bool:
    return isinstance(bound, Module | Object)


def _as_method(value: Kind, bound: Kind) -> Kind:
    """A function of the file that a class holds under a name is a method of its instances: `forward = _run`."""
    if isinstance(value, FunctionRef) and value.bound is None and "." not in value.name:
        return FunctionRef(value.module, value.name, bound)
    return Partial(value, (bound,), ()) if isinstance(value, Closure) else value


def super_attribute(analysis: Analysis, value: Super, name: str) -> Kind:
    """`super().name`: the next class in the order of the object's own class."""
    bound = value.self
    root = bound.cls if isinstance(bound, Module) and isinstance(bound.cls, ClassRef) else value.cls
    chain = analysis.project.mro(root)
    after = chain[chain.index(value.cls) + 1 :] if value.cls in chain else analysis.project.mro(value.cls)[1:]
    for position, base in enumerate(after):
        if isinstance(base, External):
            return External(f"{base.name}.{name}")
        found = _inherited(analysis, after[position : position + 1], bound, name)
        if found is not None:
            return found
    return OTHER


def item_of(analysis: Analysis, value: Module) -> Kind:
    """The items of a container of modules."""
    if value.item is not None:
        return value.item
    if isinstance(value.cls, ClassRef):
        table = analysis.attributes_of(value.cls)
        kinds = [module for entry in table.names.values() for module in modules_of(entry.kind)]
        if table.dynamic is not None:
            kinds.extend(modules_of(table.dynamic))
        if kinds:
            return join_all(Module(kind.cls, None, None, kind.item) for kind in kinds)
    return Module(None)


def held_function(analysis: Analysis, frame: Frame, cls: ClassRef, name: str, function: str) -> None:
    """`self.name` holds a function that is called as an activation.

    `function` is its name where the place that stores it does not tell. Each place may store another function. The body
    of one of the project is evaluated where it runs.
    """
    entry = analysis.attributes_of(cls).names.get(name)
    for creation in entry.creations.values() if entry is not None else ():
        stored = options(creation.kind)
        if modules_of(creation.kind) or all(_is_own_function(option) for option in stored):
            continue
        names = {option.name for option in stored if isinstance(option, External)}
        named = function if not names else names.pop() if len(names) == 1 else "?"
        analysis.facts.held.setdefault(
            creation.place, HeldFunction(creation.place, creation.unit, creation.function, name, named)
        )


def _is_own_function(kind: Kind) -> bool:
    """True for a function, method or lambda of the project."""
    return isinstance(kind.function if isinstance(kind, Partial) else kind, Closure | FunctionRef)
