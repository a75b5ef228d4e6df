"""Expressions that list the modules below one: which module, and the children that they list."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import Instance, References
from qprep.analysis.effects.child_listings import LISTINGS
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.library_names import VIEWS
from qprep.analysis.effects.object_tests import Test
from qprep.analysis.effects.points_to import PointsTo
from qprep.analysis.symbols.ast_utils import last_name

WRAPPERS = frozenset(("list", "tuple", "iter", "dict", "enumerate", "reversed", "sorted"))


def root_of_uniform(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> ast.expr | None:
    """The object for all of whose modules a call in a loop runs; None where it does not run for all of them."""
    current: ast.AST = node
    loop: ast.AST | None = None
    while (parent := parents.get(current)) is not None:
        if isinstance(parent, ast.For | ast.AsyncFor | ast.comprehension | ast.ListComp):
            loop = parent
            break
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return None
        if isinstance(parent, ast.If | ast.IfExp | ast.BoolOp | ast.Match | ast.Try):
            return None
        current = parent
    if not isinstance(loop, ast.For) or not (isinstance(loop.iter, ast.Call) and last_name(loop.iter.func) in LISTINGS):
        return None
    if lists_direct_children(loop.iter):
        return None  # the parent keeps its own mode
    earlier = loop.body[: loop.body.index(current)] if isinstance(current, ast.stmt) and current in loop.body else []
    if any(isinstance(part, ast.If | ast.Continue | ast.Break) for part in earlier):
        return None
    func = loop.iter.func
    return func.value if isinstance(func, ast.Attribute) else loop.iter


def children_below(
    points_to: PointsTo, module: ast.expr, scope: LexicalScope, tests: list[Test], is_direct: bool
) -> References:
    """The modules below an expression that pass some tests.

    An object that is no module may pass on the method of one that it holds, by a `__getattr__`.
    """
    found = points_to.of(module, scope)
    others = frozenset(e for e in found if isinstance(e.base, Instance) and not points_to.is_module(e.base.cls))
    below = points_to.below(found - others, is_direct=is_direct)
    below |= points_to.below(points_to.attribute(others, "children"))
    return frozenset(each.narrowed(tests) for each in below)


def loop_over_modules(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> ast.For | None:
    """The innermost loop around a node, where it iterates over modules."""
    current: ast.AST | None = node
    while current is not None and not isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        if isinstance(current, ast.For):
            return current if lists_modules(current.iter) else None
        current = parents.get(current)
    return None


def lists_modules(node: ast.expr) -> bool:
    """`m.named_children()`, `list(m.modules())`, `m._modules.items()`."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in WRAPPERS:
            return lists_modules(inner)
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            return name in LISTINGS or (name in VIEWS and isinstance(value, ast.Attribute) and value.attr == "_modules")
    return False


def lists_direct_children(node: ast.expr) -> bool:
    """True if an expression lists the children of a module, and not those further down."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in WRAPPERS:
            return lists_direct_children(inner)
        case ast.Call(func=ast.Attribute(attr=name)):
            return name not in ("modules", "named_modules")
    return True


def listed_module(node: ast.expr) -> ast.expr:
    """`m` in `list(m.named_children())`."""
    match node:
        case ast.Call(func=ast.Name(), args=[inner]):
            return listed_module(inner)
        case ast.Call(func=ast.Attribute(value=ast.Attribute(value=value, attr="_modules"))):
            return value
        case ast.Call(func=ast.Attribute(value=value)):
            return value
    return node
