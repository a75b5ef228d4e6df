"""Attributes of a module whose items code iterates over: a module without it has none."""

from __future__ import annotations

import ast

from qprep.analysis.effects.class_conditions import may_bind
from qprep.analysis.effects.library_names import VIEWS
from qprep.analysis.effects.object_tests import AttributeTest


def taken_attribute(statement: ast.stmt, names: list[str], loop: ast.For) -> AttributeTest | None:
    """The attribute without which `found.extend(f(each) for each in module.attribute)` adds nothing."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="extend" | "update"), args=[items], keywords=[])):
            pass
        case ast.AugAssign(op=ast.Add() | ast.BitOr(), value=items):
            pass
        case _:
            return None
    if isinstance(items, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        items = items.generators[0].iter
    return attribute_gone_through(items, names, loop)


def attribute_gone_through(node: ast.expr, names: list[str], loop: ast.For) -> AttributeTest | None:
    """The attribute of a module that code iterates over, where that of a module without it counts as empty."""
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr=view), args=[]) if view in VIEWS:
            return attribute_gone_through(inner, names, loop)
        case ast.BoolOp(op=ast.Or(), values=[first, *others]) if all(map(_is_empty, others)):
            return attribute_gone_through(first, names, loop)
        case ast.Call(
            func=ast.Name(id="getattr"), args=[ast.Name(id=module), ast.Constant(value=str(attribute)), default]
        ):
            return AttributeTest(attribute) if module in names and _is_empty(default) else None
        case ast.Name(id=variable):
            bound = [each for each in loop.body if may_bind([each], variable)]
            match bound:
                case [ast.Assign(targets=[ast.Name()], value=value)] if value.lineno < node.lineno:
                    return attribute_gone_through(value, names, loop)
    return None


def _is_empty(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return value is None or value == ""
        case ast.Dict(keys=[]) | ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Set(elts=[]):
            return True
        case ast.Call(func=ast.Name(id="dict" | "frozenset" | "list" | "set" | "tuple"), args=[], keywords=[]):
            return True
    return False
