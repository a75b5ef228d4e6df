"""Methods that Python runs by itself: for attributes, for operations on an object, for `with` and construction."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qprep.analysis.effects.abstract_objects import Instance, Named, References
from qprep.analysis.effects.implicit_calls import is_property
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.points_to import PointsTo

ENTER = frozenset(("__enter__", "__exit__", "__aenter__", "__aexit__"))


CONSTRUCTION = ("__del__", "__init__", "__new__", "__post_init__")


_NOT_IMPLICIT = ENTER | frozenset(
    (*CONSTRUCTION, "__call__", "__class_getitem__", "__init_subclass__", "__set_name__", "__setattr__")
)


def methods_of_attribute(points_to: PointsTo, node: ast.Attribute, scope: LexicalScope) -> Iterator[LexicalScope]:
    """The functions that a read or write of an attribute runs: a property, a descriptor, `__getattr__`."""
    is_read = isinstance(node.ctx, ast.Load)
    for reference in points_to.of(node.value, scope):
        base = reference.base
        if not isinstance(base, Instance) or points_to.is_module(base.cls):
            continue
        own = ("__getattr__", "__getattribute__") if is_read else ("__setattr__",)
        yield from (m for name in own for m in points_to.method(base.cls, name))
        yield from (m for m in points_to.method(base.cls, node.attr) if is_property(m))
        for value in points_to.of_attribute(base.cls, node.attr):
            if isinstance(value.base, Instance):
                yield from points_to.method(value.base.cls, "__get__" if is_read else "__set__")


def is_followed(points_to: PointsTo, node: ast.expr, parent: ast.AST | None, scope: LexicalScope) -> bool:
    """True for what is called, or given to a function of the project alone: its own code says what runs."""
    if not isinstance(parent, ast.Call):
        return False
    if parent.func is node:
        return True
    callees = points_to.of(parent.func, scope)
    return bool(callees) and not any(isinstance(each.base, Named) for each in callees)


def special_methods(points_to: PointsTo, references: References) -> Iterator[LexicalScope]:
    """The special methods of objects of the project that are no modules, except for those of construction."""
    for reference in references:
        base = reference.base
        if isinstance(base, Instance) and not points_to.is_module(base.cls):
            names = (name for name in points_to.project.method_names(base.cls) if name.startswith("__"))
            for name in names:
                yield from points_to.method(base.cls, name) if name not in _NOT_IMPLICIT else ()
