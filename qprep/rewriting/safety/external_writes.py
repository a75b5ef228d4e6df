"""Attribute writes outside a class that may hit its instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Instance
from qprep.analysis.effects.attribute_writes import located_writes
from qprep.analysis.effects.write_records import UNKNOWN_ATTRIBUTE, WriteKind
from qprep.analysis.places import Unit
from qprep.analysis.values.abstract_values import NONE, ClassRef, External, Module, options
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES

if TYPE_CHECKING:
    from qprep.analysis.effects.write_records import Receiver
    from qprep.analysis.values.abstract_values import Kind
    from qprep.rewriting.fix_session import RewriteContext

_ANYTHING = ("typing.", "typing_extensions.", "builtins.", "collections.abc.", "abc.")  # annotations that tell nothing
_OWN_WAYS = frozenset(("__new__", "__getattr__", "__getattribute__", "__setattr__", "__delattr__"))
_DEPTH = 4  # attributes that code needs to set others, before any object may have them
_BASE = External("torch.nn.Module")


def is_written(context: RewriteContext, unit: Unit, attribute: str) -> bool:
    """True if some given file may set an attribute of instances of a class, or change what it holds, from outside."""
    family = context.family(unit)
    return _may_be_given(context, family, attribute, ())


def place_of_write(context: RewriteContext, unit: Unit, attribute: str) -> str:
    """The module and line of a write that `is_written` tells of, in brackets; nothing for a file that is only read."""
    family = context.family(unit)
    for module in sorted(context.project.given):
        index = context.project.index(module) if attribute in (context.project.text(module) or "") else None
        for node, write in located_writes(index) if index is not None else ():
            is_it = write.kind is WriteKind.ATTRIBUTE and write.name == attribute
            if is_it and _may_be(context, family, write.receiver, attribute, (attribute,)):
                return f" ({module}:{node.lineno})"
    return ""


def _may_be_given(
    context: RewriteContext, family: tuple[ClassRef, ...], attribute: str, asked: tuple[str, ...]
) -> bool:
    receivers = context.receivers.get(attribute, ())
    return any(_may_be(context, family, receiver, attribute, (*asked, attribute)) for receiver in receivers)


def _may_be(
    context: RewriteContext, family: tuple[ClassRef, ...], receiver: Receiver, attribute: str, asked: tuple[str, ...]
) -> bool:
    if receiver.is_below:
        return _may_be_below(context, family, receiver)
    if receiver.classes:
        return any(_is_of(context, family, name, attribute) for name in receiver.classes)
    if not all(_may_have(context, family, name, asked) for name in receiver.has):
        return False
    return not receiver.slot or _may_hold(context, family, *receiver.slot)


def _is_of(context: RewriteContext, family: tuple[ClassRef, ...], name: str, attribute: str) -> bool:
    """True if an object of the class called `name` may be one of a family's, or set the attribute on one."""
    found = list(options(context.project.resolve(name)))
    if not all(isinstance(option, ClassRef | External) for option in found):
        return True
    externals = {base for member in family for base in context.project.mro(member) if isinstance(base, External)}
    for option in found:
        if isinstance(option, ClassRef):
            if option in family or not _is_plain(context, option, attribute):
                return True
        elif isinstance(option, External):
            inside = option.name.partition(".")[0] in context.project.tops  # a value: any class
            if inside or option in externals or option.name.startswith(_ANYTHING):
                return True
    return False


def _may_be_below(context: RewriteContext, family: tuple[ClassRef, ...], receiver: Receiver) -> bool:
    """True if an object of a family may be a part, at any depth, of an object of the class that a write names."""
    holders: list[Kind] = [option for name in receiver.classes for option in options(context.project.resolve(name))]
    if receiver.slot:
        holders.append(ClassRef(*receiver.slot[:2]))
    return not holders or any(_may_contain(context, family, holder) for holder in holders)


def _may_contain(context: RewriteContext, family: tuple[ClassRef, ...], holder: Kind) -> bool:
    if not isinstance(holder, ClassRef) or holder.module not in context.project.given:
        return True
    if not context.analysis.is_module(holder) or not _is_plain(context, holder, ""):
        return True
    return context.effects.contains_object(Instance(holder), family)


def _is_plain(context: RewriteContext, ref: ClassRef, attribute: str) -> bool:
    """True if only instances of a class and its subclasses are said to be of it, and keep what is set on them.

    No protocol, nor a class that makes other objects, says itself what its instances are, or returns its arguments.
    """
    for base in context.project.mro(ref):
        if isinstance(base, External) and base.name.startswith(_ANYTHING) and base.name != "builtins.object":
            return False
        entry = context.project.class_node(base) if isinstance(base, ClassRef) else None
        index = context.project.index(base.module) if isinstance(base, ClassRef) else None
        if isinstance(base, ClassRef) and (entry is None or index is None or base.name in index.values):
            return False
        if entry is not None and (entry.node.keywords or not _OWN_WAYS.isdisjoint(entry.methods)):
            return False
        if entry is not None and (attribute in entry.methods or attribute in entry.values):
            return False
    return True


def _may_hold(context: RewriteContext, family: tuple[ClassRef, ...], module: str, cls: str, attribute: str) -> bool:
    """True if `self.attribute` of another class may be an object of a family."""
    if context.project.class_node(ClassRef(module, cls)) is None:
        return True
    if attribute in context.receivers or UNKNOWN_ATTRIBUTE in context.writes:
        return True
    members = context.family(Unit(module, cls, True))
    tables = [context.analysis.attributes_of(member).names for member in members]
    found = [option for table in tables if attribute in table for option in options(table[attribute].kind)]
    return not found or any(_may_be_of(context, family, option) for option in found)


def _may_be_of(context: RewriteContext, family: tuple[ClassRef, ...], kind: Kind) -> bool:
    """True if an object of a kind may be of a family."""
    if not isinstance(kind, Module):
        return kind != NONE
    if isinstance(kind.cls, ClassRef):
        return kind.cls in family
    bases = {base for member in family for base in context.project.mro(member) if isinstance(base, External)}
    return kind.cls is None or kind.cls in bases


def _may_have(context: RewriteContext, family: tuple[ClassRef, ...], name: str, asked: tuple[str, ...]) -> bool:
    """True if instances of a family may have an attribute: classes that make them up on the way may have any.

    Code that reads an attribute before it sets it gives it to no object: `asked` are the names that are open.
    """
    if name in NN_MODULE_ATTRIBUTES or UNKNOWN_ATTRIBUTE in context.writes:
        return True
    if name in context.receivers and len(asked) >= _DEPTH:
        return True
    if name not in asked and _may_be_given(context, family, name, asked):
        return True
    for member in family:
        entry = context.project.class_node(member)
        table = context.analysis.attributes_of(member)
        if entry is None or entry.node.decorator_list or not _OWN_WAYS.isdisjoint(entry.methods):
            return True
        if name in entry.methods or name in entry.values or name in entry.annotations or name in table.names:
            return True
        if table.dynamic is not None or any(b != _BASE for b in context.project.mro(member) if isinstance(b, External)):
            return True
    return False
