"""Calls that each way through a list of statements makes, unless it ends with an exception."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LATER = (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""Code whose parts run later, or for each item of what may be empty."""


def runs_each_time(statements: Sequence[ast.stmt], is_one: Callable[[ast.Call], bool]) -> bool:
    """True if each way to the end of some statements makes a call that `is_one` accepts, or ends with `raise`."""
    for statement in statements:
        if isinstance(statement, ast.Raise) or _does(statement, is_one):
            return True
        if _may_leave(statement):
            return False
    return False


def _does(statement: ast.stmt, is_one: Callable[[ast.Call], bool]) -> bool:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return False
        case ast.If(test=test, body=body, orelse=orelse):
            return _evaluates(test, is_one) or (runs_each_time(body, is_one) and runs_each_time(orelse, is_one))
        case ast.For(iter=head) | ast.AsyncFor(iter=head) | ast.While(test=head) | ast.Match(subject=head):
            return _evaluates(head, is_one)
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            heads = any(_evaluates(item.context_expr, is_one) for item in items)
            return heads or runs_each_time(body, is_one)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            whole = runs_each_time([*body, *orelse], is_one)
            others = all(runs_each_time(handler.body, is_one) for handler in handlers)
            return (whole and others) or runs_each_time(final, is_one)
    return _evaluates(statement, is_one)


def _evaluates(node: ast.AST, is_one: Callable[[ast.Call], bool]) -> bool:
    """True if evaluating an expression or a plain statement makes such a call."""
    return any(isinstance(part, ast.Call) and is_one(part) for part in _run(node))


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of an expression or a plain statement that are evaluated each time."""
    yield node
    match node:
        case ast.BoolOp(values=[first, *_]):
            yield from _run(first)
        case ast.IfExp(test=test):
            yield from _run(test)
        case ast.AST() if isinstance(node, _LATER):
            pass
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _run(child)


def _may_leave(statement: ast.stmt) -> bool:
    """True if a statement may end the function before the next one."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return isinstance(statement, ast.Return) or any(
        isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case) and _may_leave_in(child)
        for child in ast.iter_child_nodes(statement)
    )


def _may_leave_in(node: ast.AST) -> bool:
    if isinstance(node, ast.stmt):
        return _may_leave(node)
    return any(_may_leave_in(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))
