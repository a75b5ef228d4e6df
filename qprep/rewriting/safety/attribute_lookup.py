"""Classes of modules with a `__getattr__` of their own: whether it finds new modules as nn.Module's does."""

from __future__ import annotations

import ast
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Instance
from qprep.analysis.effects.lexical_scopes import assigned_value
from qprep.analysis.places import Unit
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting import plain_objects
from qprep.rewriting.fix_session import remembered
from qprep.rewriting.safety import setattr_guards

if TYPE_CHECKING:
    from qprep.analysis.effects.abstract_objects import References
    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.rewriting.fix_session import RewriteContext

_MODULE = frozenset(("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"))
# Bases whose instances have no attributes but those that a class of the project gives them.
_KNOWN_BASES = ("builtins.", "collections.", "typing.", "abc.")


class _Lookup(Enum):
    """The way in which a `__getattr__` of a class finds a new module."""

    AS_MODULE = auto()  # as nn.Module's does
    RESERVED = auto()  # so where the name has the reserved prefix
    UNKNOWN = auto()


def rejection_of(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The reason why a new module of a class may not be found under its name; None if it is."""
    for member in context.family(unit):
        if _lookup(context, member) is _Lookup.UNKNOWN and _is_asked(context, unit, member):
            return Rejection(f"`{member.name}` defines __getattr__", RejectionCode.CLASS_SHAPE)
    return None


def needs_reserved_names(context: RewriteContext, unit: Unit) -> bool:
    """True if a `__getattr__` of the family of a class finds only modules whose names have the reserved prefix."""
    return any(
        _lookup(context, member) is _Lookup.RESERVED and _is_asked(context, unit, member)
        for member in context.family(unit)
    )


@remembered
def _lookup(context: RewriteContext, member: ClassRef) -> _Lookup:
    file = context.effects.points_to.file(member.module)
    entry = file.index.classes.get(member.name) if file is not None else None
    method = entry.methods.get("__getattr__") if entry is not None else None
    if file is None or method is None:
        return _Lookup.AS_MODULE
    if setattr_guards.passes_on(method):
        return _Lookup.RESERVED if _answers_otherwise(method) else _Lookup.AS_MODULE
    scope = file.defined(method)
    if scope is None or not setattr_guards.passes_on(method, partial(_has_no_operation, context, scope)):
        return _Lookup.UNKNOWN
    return _Lookup.RESERVED


def _answers_otherwise(method: ast.FunctionDef) -> bool:
    """True if a `__getattr__` returns something for names that nn.Module does not find, so that code may read any."""
    handlers = [node for node in ast.walk(method) if isinstance(node, ast.ExceptHandler)]
    return any(isinstance(part, ast.Return) for handler in handlers for part in ast.walk(handler))


def _is_asked(context: RewriteContext, unit: Unit, member: ClassRef) -> bool:
    """True if instances of a class, or of a subclass, run the lookup of `member` before that of nn.Module."""
    ref = ClassRef(unit.module, unit.name)
    for cls in (ref, *context.project.subclasses(ref)):
        chain = context.project.mro(cls)
        ends = [n for n, base in enumerate(chain) if isinstance(base, External) and base.name in _MODULE]
        if member in (chain[: max(ends)] if ends else chain):
            return True
    return False


def _has_no_operation(context: RewriteContext, scope: LexicalScope, node: ast.expr) -> bool:
    """True if an expression refers to plain objects alone, and no rewrite gives one of them an attribute."""
    found = _objects(context, scope, node)
    classes = [each.base.cls for each in found if isinstance(each.base, Instance)]
    return bool(found) and len(classes) == len(found) and all(_is_plain(context, cls) for cls in classes)


def _objects(context: RewriteContext, scope: LexicalScope, node: ast.expr) -> References:
    """The value that an expression refers to.

    `x.__dict__["name"]` is `x.name`: what the project assigns to an attribute of that name on any object. One that is
    set under a computed name is assumed not to be this one.
    """
    points_to = context.effects.points_to
    match node:
        case ast.Subscript(value=ast.Attribute(attr="__dict__"), slice=ast.Constant(value=str(name))):
            pass
        case ast.Attribute(attr=name):
            pass
        case _:
            return points_to.of(node, scope)
    values = [
        (assigned_value(store, where.file.parents), where) for store, where in points_to.names.stores(points_to, name)
    ]
    known = [points_to.of(value, where) for value, where in values if value is not None]
    is_all = len(known) == len(values) and all(known)
    return frozenset().union(*known) if is_all else frozenset()


def _is_plain(context: RewriteContext, cls: ClassRef) -> bool:
    """True if instances of a class, and of its subclasses, are not modules, and no rewrite adds attributes to them."""
    for each in (cls, *context.project.subclasses(cls)):
        unit = Unit(each.module, each.name, True)
        if not plain_objects.is_plain(context, unit) or plain_objects.rejection_of(context, unit) is None:
            return False
        for base in context.project.mro(each):
            if isinstance(base, External) and not base.name.startswith(_KNOWN_BASES):
                return False
            methods = context.project.methods(base) or () if isinstance(base, ClassRef) else ()
            if not {"__getattr__", "__getattribute__"}.isdisjoint(methods):
                return False
    return True
