"""Calls, methods and reads of items that change nothing beyond their own objects."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from qprep.analysis.effects import silent_calls
from qprep.analysis.effects.abstract_objects import Made, Named
from qprep.analysis.effects.lexical_scopes import BindingKind, LexicalScope, assigned_value
from qprep.analysis.effects.points_to import PointsTo
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.analysis.effects.visit_rounds import DEFERRED, VisitRound

# Decorators that keep a function as it is, but for the mode in which torch runs it.
_KEEPS_FUNCTION = ("abc.", "builtins.", "contextlib.", "functools.wraps", "torch.", "typing.")


def _is_tested(item: ast.Subscript, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if a test around an item shows that it is there: `if key in table`."""
    wanted = f"{ast.unparse(item.slice)} in {ast.unparse(item.value)}"
    current: ast.AST = item
    while (parent := parents.get(current)) is not None and not isinstance(parent, DEFERRED):
        if isinstance(parent, ast.If | ast.IfExp) and current is not parent.test:
            is_body = current is parent.body if isinstance(parent, ast.IfExp) else current in parent.body
            if is_body and wanted in ast.unparse(parent.test):
                return True
        for test in (test for each in getattr(parent, "generators", ()) for test in each.ifs):
            if wanted in ast.unparse(test):
                return True
        current = parent
    return False


def is_silent(name: str, call: ast.Call, run: VisitRound) -> bool:
    """True if a function of another package changes nothing, by its dotted name."""
    if not silent_calls.is_silent(name, call):
        return False
    is_of_numpy = name.startswith("numpy.")  # whose functions that return nothing change an argument
    return not (is_of_numpy and isinstance(run.scope.file.parents.get(call), ast.Expr))


def is_silent_method(
    points_to: PointsTo, method: ast.Attribute, scope: LexicalScope, call: ast.Call | None = None
) -> bool:
    """True if a method changes nothing, by its name and by the object that has it."""
    if silent_calls.is_silent_method(method.attr, call):
        # Of an object of another package, no method is known by the name that a tensor's has.
        bases = (each.base for each in points_to.of(method.value, scope))
        is_other = any(isinstance(base, Made) and not base.name.startswith("torch.") for base in bases)
        return not is_other or method.attr in silent_calls.READING
    return silent_calls.is_logging(method.attr) and _origins(points_to, method.value, scope) == {"logging.getLogger"}


def may_be_method(points_to: PointsTo, value: ast.Attribute, scope: LexicalScope) -> bool:
    """True if an attribute that is given away may be a method of an object that it changes: `items.append`."""
    is_called = points_to.names.is_method(value.attr) or value.attr in OF_CONTAINERS
    return is_called and not points_to.of(value, scope)


def _origins(points_to: PointsTo, node: ast.expr, scope: LexicalScope) -> set[str] | None:
    """The functions of packages whose results are all that a variable or attribute is given; None if others are."""
    values: list[tuple[ast.expr | None, LexicalScope]] = []
    match node:
        case ast.Name(id=name) if (home := scope.binder(name)) is not None:
            values = [
                (b.value if b.kind is BindingKind.VALUE and isinstance(b.value, ast.expr) else None, home)
                for b in home.bindings[name]
            ]
        case ast.Attribute(attr=name):
            stores = points_to.names.stores(points_to, name)
            values = [(assigned_value(store, where.file.parents), where) for store, where in stores]
        case ast.Call():
            values = [(node, scope)]
    found: set[str] = set()
    for value, where in values:
        bases = [each.base for each in points_to.of(value.func, where)] if isinstance(value, ast.Call) else []
        if not bases or not all(isinstance(base, Named) for base in bases):
            return None
        found |= {base.name for base in bases if isinstance(base, Named)}
    return found or None


def makes_items(points_to: PointsTo, node: ast.Subscript, run: VisitRound) -> bool:
    """True if reading an item may make it, or raise for a module that nobody has put in."""
    if not isinstance(node.ctx, ast.Load) or run.owns(node.value):
        return False
    origins = _origins(points_to, node.value, run.scope) or set()
    if "collections.defaultdict" in origins:
        return True
    return is_by_module([node.slice], run) and not _is_tested(node, run.scope.file.parents)


def is_by_module(nodes: Iterable[ast.expr], run: VisitRound) -> bool:
    """True if expressions use the module that a round is for."""
    return any(isinstance(n, ast.Name) and n.id in run.module for node in nodes for n in ast.walk(node))


def is_wrapped(points_to: PointsTo, function: LexicalScope) -> bool:
    """True if a decorator of another package may keep what a function is called with: `functools.lru_cache`."""
    for decorator in getattr(function.node, "decorator_list", ()):
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        for reference in points_to.of(named, function.parent or function):
            if isinstance(reference.base, Named) and not reference.base.name.startswith(_KEEPS_FUNCTION):
                return True
    return False
