"""Branches: which exclude each other, and which a loop's variable selects."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qprep.analysis.interpreter.environment import Condition, Counts
from qprep.analysis.symbols.ast_utils import walk
from qprep.analysis.values.abstract_values import FunctionRef, Number, options
from qprep.analysis.values.path_events import InOneRound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis


_Conditions = frozenset[Condition]


def assumed(analysis: Analysis, frame: Frame, test: ast.expr, taken: bool) -> _Conditions:
    """The conditions that hold to the end of a branch: on names and attributes that the function never binds."""
    bound = _bound(analysis, frame)
    parts = _parts(test, taken)
    return frozenset(_condition(part, holds) for part, holds in parts if _is_stable(part, bound))


def _parts(test: ast.expr, taken: bool) -> Iterator[tuple[ast.expr, bool]]:
    """A test taken apart: `a and b` holds where both do, `a or b` does not where neither does."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _parts(test.operand, not taken)
    elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) == taken:
        for value in test.values:
            yield from _parts(value, taken)
    else:
        yield test, taken


def _condition(test: ast.expr, holds: bool) -> Condition:
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        operator, other = test.ops[0], test.comparators[0]
        if isinstance(operator, ast.IsNot | ast.NotEq):
            holds = not holds
        if isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) and isinstance(other, ast.Constant):
            return Condition(ast.unparse(test.left), ast.unparse(other), holds)
    return Condition(ast.unparse(test), "", holds)


def _is_stable(test: ast.expr, bound: frozenset[str]) -> bool:
    """True if a test gives the same whenever it stands: it calls nothing, and nothing that it reads is bound anew."""
    for node in walk(test):
        if isinstance(node, ast.Call | ast.NamedExpr | ast.Await | ast.Subscript):
            return False
        if isinstance(node, ast.Name) and node.id in bound:
            return False
        if isinstance(node, ast.Attribute) and node.attr in bound:
            return False
    return True


def _bound(analysis: Analysis, frame: Frame) -> frozenset[str]:
    """The names and attributes that the function binds anywhere."""
    key = (frame.index.name, frame.function)
    if key not in analysis.bound_names:
        node = analysis.project.function_node(FunctionRef(*key))
        found: set[str] = set()
        for part in walk(node) if node is not None else ():
            if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
                found.add(part.id)
            elif isinstance(part, ast.Attribute) and not isinstance(part.ctx, ast.Load):
                found.add(part.attr)
        analysis.bound_names[key] = frozenset(found)
    return analysis.bound_names[key]


def exclude_each_other(one: _Conditions, other: _Conditions) -> bool:
    """True if no run takes both of two branches."""
    return any(_contradict(a, b) for a in one for b in other)


def _contradict(a: Condition, b: Condition) -> bool:
    if a.text != b.text:
        return False
    if a.constant == b.constant:
        return a.holds != b.holds
    return a.holds and b.holds and "" not in (a.constant, b.constant)


def selecting_loop(frame: Frame, test: ast.expr, taken: bool) -> int | None:
    """The loop whose variable decides whether a branch is taken: in one round, where no value comes twice.

    `step == "conv"` holds in one round. That it does not, in what is left of the rounds, counts as one where the values
    are names of steps, and as many where they are numbers.
    """
    for part, holds in _parts(test, taken):
        if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(part.left, ast.Name):
            loop = frame.loop_names.get(part.left.id)
            if loop is not None and loop in frame.loops and _selects(frame, part, part.left.id, holds):
                return loop
    return None


def _selects(frame: Frame, test: ast.Compare, name: str, holds: bool) -> bool:
    kind = frame.scope.lookup(name)
    is_number = kind is not None and any(isinstance(option, Number) for option in options(kind))
    if is_number:
        return (isinstance(test.ops[0], ast.Eq) and holds) or (isinstance(test.ops[0], ast.NotEq) and not holds)
    names = [part.value for part in walk(test.comparators[0]) if isinstance(part, ast.Constant)]
    return bool(names) and all(isinstance(value, str) for value in names)


def select(before: Counts, after: Counts, loop: int) -> Counts:
    """Adds the events of a branch that a loop's variable selects: that loop does not repeat them."""
    result = Counts(before)
    for event, times in after.items():
        if (added := times - before.get(event, 0)) > 0:
            result.add(InOneRound(event, loop), added)
    return result


@contextmanager
def branch(analysis: Analysis, frame: Frame, test: ast.expr, taken: bool) -> Iterator[None]:
    """Within it, events belong to one branch of a test."""
    outer, before = frame.conditions, Counts(frame.counts)
    frame.conditions = outer | assumed(analysis, frame, test, taken)
    yield
    frame.conditions = outer
    loop = selecting_loop(frame, test, taken)
    if loop is not None:
        frame.counts = select(before, frame.counts, loop)
