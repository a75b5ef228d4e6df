"""Uses of the results of generator functions: a module's `forward` makes a generator of another name."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

# Functions of Python that take the items of a generator one by one, and keep nothing of the generator itself.
_TAKES_ITEMS = frozenset(
    ["all", "any", "dict", "enumerate", "filter", "frozenset", "iter", "list", "map", "max", "min", "next", "reversed",
     "set", "sorted", "sum", "tuple", "zip"]
)  # fmt: skip
_OWN_METHODS = frozenset(("close", "send", "throw"))


def is_generator(node: ast.FunctionDef) -> bool:
    """True if calling a function makes a generator."""
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in walk(node))


def is_only_iterated(call: ast.expr, function: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """True if nothing but the items of what a call in a function returns is used."""
    parent = parents.get(call)
    match parent:
        case ast.For(iter=source) | ast.comprehension(iter=source) if source is call:
            return True
        case ast.YieldFrom() | ast.Starred() | ast.Expr():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in _TAKES_ITEMS
        case ast.Attribute(attr=name):
            return name in _OWN_METHODS
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.NamedExpr(target=ast.Name(id=name)):
            reads = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == name and n.lineno >= call.lineno]
            used = [n for n in reads if isinstance(n.ctx, ast.Load)]
            return all(
                not isinstance(parents.get(n), ast.Assign) and is_only_iterated(n, function, parents) for n in used
            )
    return False
