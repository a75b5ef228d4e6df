"""Targets of `x[…] += y` that are written twice, `x[…] = add(x[…], y)`, and evaluated once all the same."""

from __future__ import annotations

import ast
from itertools import chain, count
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import walk
from qprep.foundation.findings import Rejection, RejectionCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.source_code import Code

    Named = tuple[ast.expr, str]

# What cannot be given a name inside an expression, or binds names or suspends there.
_BARRED = (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr, ast.Starred, ast.Lambda)


def evaluated_once(scope: Scope, target: ast.expr) -> list[Named] | Rejection:
    """The parts of a target that must not be evaluated twice, each with a free name for its value.

    Names, attributes, constants and arithmetic on them may be: the rest, a mask or the result of a call, gets a name.
    """
    parts = list(_parts(target))
    if any(isinstance(inner, _BARRED) for part in parts for inner in walk(part)):
        return Rejection("the target would be evaluated twice", RejectionCode.CALL_FORM)
    function = scope.code.function(scope.node)
    if parts and function is None:
        return Rejection("the target would be evaluated twice", RejectionCode.CALL_FORM)
    used = {node.id for node in ast.walk(scope.code.tree) if isinstance(node, ast.Name)}
    used |= {node.arg for node in ast.walk(scope.code.tree) if isinstance(node, ast.arg)} | scope.index.names
    free = (name for name in chain(("index",), (f"index_{n}" for n in count(1))) if name not in used)
    return [(part, next(free)) for part in parts]


def with_names(code: Code, target: ast.expr, named: Sequence[Named]) -> str:
    """The text of a target that gives names to its parts: `x[(index := x > 0)]`."""
    start, end = code.span(target)
    text = code.text[start:end]
    for part, name in reversed(named):
        first, last = (offset - start for offset in code.span(part))
        text = f"{text[:first]}({name} := {text[first:last]}){text[last:]}"
    return text


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """The largest parts that are more than names, attributes, constants, indices and arithmetic."""
    inner: list[ast.expr | None]
    match node:
        case ast.Name() | ast.Constant():
            inner = []
        case ast.Attribute(value=value) | ast.UnaryOp(operand=value):
            inner = [value]
        case ast.Subscript(value=value, slice=index):
            inner = [value, index]
        case ast.Slice(lower=lower, upper=upper, step=step):
            inner = [lower, upper, step]
        case ast.Tuple(elts=elements):
            inner = [*elements]
        case ast.BinOp(left=left, right=right):
            inner = [left, right]
        case _:
            yield node
            return
    for part in inner:
        if part is not None:
            yield from _parts(part)
