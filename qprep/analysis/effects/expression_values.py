"""The objects that an expression may refer to, by its form."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    NOTHING,
    ChildName,
    FunctionObject,
    Held,
    Reference,
    References,
)
from qprep.analysis.effects.attribute_values import attribute_of
from qprep.analysis.effects.call_results import of_call
from qprep.analysis.effects.class_conditions import binding_comprehension, binding_loop, conditions
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.implicit_calls import is_property, operator_methods
from qprep.analysis.effects.lexical_scopes import LexicalScope, is_super
from qprep.analysis.effects.module_definitions import of_dotted
from qprep.analysis.effects.object_items import item_of, items_of, results_of_methods
from qprep.analysis.effects.read_narrowing import narrowed_read, passing, tested_variable
from qprep.analysis.effects.reference_sets import as_bound, union
from qprep.analysis.effects.straight_line import last_value
from qprep.analysis.effects.value_keys import ResultKey, VariableKey

_REFLECTED = frozenset(
    ["__closure__", "__globals__", "__self__", "cell_contents", "f_back", "f_globals", "f_locals", "gi_frame",
     "tb_frame"]
)  # fmt: skip


def of_expression(  # noqa: C901, PLR0912  (one case a node type)
    evaluation: Evaluation, node: ast.expr, scope: LexicalScope
) -> References:
    """The objects that an expression may refer to."""
    match node:
        case ast.Name(id=name):
            return _of_name(evaluation, node, name, scope)
        case ast.Attribute(value=value, attr=attribute):
            return _of_attribute_read(evaluation, node, value, attribute, scope)
        case ast.Call():
            return of_call(evaluation, node, scope)
        case ast.Subscript(value=value):
            found = evaluation.get(value, scope)
            methods = results_of_methods(evaluation, found, "__getitem__", "__missing__", "__class_getitem__")
            return items_of(evaluation, found) | methods
        case ast.IfExp(body=body, orelse=orelse):
            return evaluation.get(body, scope) | evaluation.get(orelse, scope)
        case ast.NamedExpr(value=value) | ast.Starred(value=value) | ast.Await(value=value):
            return evaluation.get(value, scope)
        case ast.BinOp(left=left, right=right, op=operator):
            both = evaluation.get(left, scope) | evaluation.get(right, scope)
            made = results_of_methods(evaluation, both, *operator_methods(operator))
            if not isinstance(operator, ast.Add | ast.Mult | ast.BitOr):
                return made
            # Of lists and dictionaries; an attribute alone may be a number.
            return made | frozenset(each for each in both if not isinstance(each.base, Held))
        case ast.UnaryOp(operand=operand, op=operator):
            return results_of_methods(evaluation, evaluation.get(operand, scope), *operator_methods(operator))
        case ast.Yield():
            return union(evaluation.get(value, where) for value, where in evaluation.stores.sent)
        case ast.Dict(keys=keys, values=values):
            return union(evaluation.get(part, scope) for part in (*keys, *values) if part is not None)
        case ast.FormattedValue(value=value):
            return frozenset(each for each in evaluation.get(value, scope) if isinstance(each.base, ChildName))
        case ast.Lambda():
            inner = scope.file.defined(node)
            return frozenset((Reference(FunctionObject(inner)),)) if inner is not None else NOTHING
    return union(evaluation.get(part, scope) for part in _parts(node))


def _of_attribute_read(
    evaluation: Evaluation, node: ast.Attribute, value: ast.expr, attribute: str, scope: LexicalScope
) -> References:
    if attribute in _REFLECTED:
        return ANY_OBJECT
    receiver = scope.receiver
    if receiver is not None and _is_name(value, receiver) and attribute in _assigned_in(evaluation, scope):
        assigned = last_value(node, receiver, scope.file.parents)
        if assigned is not None:
            return evaluation.get(assigned, scope) | {Reference(Held(scope.owner, attribute))}
    if is_super(value, scope):
        return _of_super(evaluation, attribute, scope)
    return attribute_of(evaluation, evaluation.get(value, scope), attribute)


def _of_super(evaluation: Evaluation, name: str, scope: LexicalScope) -> References:
    """The methods that `super().name` may be: the next after the class, in its own order and in its subclasses'."""
    cls = evaluation.enclosing_class(scope)
    if cls is None:
        return NOTHING
    found = [evaluation.next_method(each, cls, name) for each in (cls, *evaluation.project.subclasses(cls))]
    methods = list(dict.fromkeys(method for methods in found for method in methods))
    computed = union(evaluation.get(ResultKey(method)) for method in methods if is_property(method))
    plain = as_bound(method for method in methods if not is_property(method))
    return computed | plain if methods else frozenset((Reference(Held(cls, name)),))


def _assigned_in(evaluation: Evaluation, scope: LexicalScope) -> frozenset[str]:
    """The attributes that a method gives a value, where the name of its object is bound once."""
    if scope not in evaluation.assigned_names:
        names = (n.attr for n in ast.walk(scope.node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
        is_bound_once = scope.receiver is not None and len(scope.bindings[scope.receiver]) == 1
        evaluation.assigned_names[scope] = frozenset(names) if is_bound_once else frozenset()
    return evaluation.assigned_names[scope]


def _of_name(evaluation: Evaluation, node: ast.Name, name: str, scope: LexicalScope) -> References:
    home = scope.binder(name)
    if home is None:
        index = scope.file.index
        dotted = evaluation.project.global_name(index, name)
        return of_dotted(evaluation, dotted) | evaluation.get(VariableKey(scope.file.top, name))
    if len(home.bindings[name]) == 1:
        return narrowed_read(evaluation, node, evaluation.get(VariableKey(home, name)), home)
    loop = binding_comprehension(node, scope.file.parents) or binding_loop(node, scope.file.parents)
    if loop is None or home is not scope:
        return evaluation.get(VariableKey(home, name))
    if scope.file.counter_of(loop.target, loop.iter) == name:
        return NOTHING
    tests = list(conditions(node, tested_variable(evaluation, name, home), scope.file.parents))
    items = item_of(evaluation, evaluation.get(loop.iter, scope), name, loop)
    return passing(evaluation, items, tests)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _parts(node: ast.expr) -> list[ast.expr]:
    """The expressions any of which may be the value of another one, or be held by it."""
    match node:
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.JoinedStr(values=parts):
            return parts
        case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part):
            return [part]
        case ast.DictComp(key=key, value=part):
            return [key, part]
    return []
