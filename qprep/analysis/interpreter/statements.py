"""Statements: how the state of a frame changes, branch by branch and loop by loop."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import child_positions
from qprep.analysis.interpreter import instances, losses, narrowing
from qprep.analysis.interpreter.assignments import assign
from qprep.analysis.interpreter.conditions import branch
from qprep.analysis.interpreter.environment import Counts, PathState
from qprep.analysis.interpreter.expressions import evaluate
from qprep.analysis.interpreter.items import iterate
from qprep.analysis.interpreter.tensor_arithmetic import augmented
from qprep.analysis.values.abstract_values import UNKNOWN, ClassRef, Kind, Object, Sequence
from qprep.analysis.values.closure_values import Closure
from qprep.analysis.values.index_expressions import computed_indices, stride_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis


def run_block(analysis: Analysis, frame: Frame, body: list[ast.stmt]) -> None:
    """Evaluate statements in order until the path ends."""
    is_for_loss = frame.is_for_loss
    for position, node in enumerate(body):
        if not frame.alive:
            break
        run = _RUNNERS.get(type(node))
        if run is not None:
            run(analysis, frame, node)
        frame.is_for_loss = frame.is_for_loss or losses.rest_is_for_loss(analysis, frame, node, body[position + 1 :])
    frame.is_for_loss = is_for_loss


def _assign(analysis: Analysis, frame: Frame, node: ast.Assign) -> None:
    value = evaluate(analysis, frame, node.value)
    for target in node.targets:
        if not _assigned_in_pairs(analysis, frame, target, value, node.value):
            assign(analysis, frame, target, value, node.value)


def _assigned_in_pairs(analysis: Analysis, frame: Frame, target: ast.expr, value: Kind, node: ast.expr) -> bool:
    """`a, b = x, y`: each name gets the value that stands at its place."""
    if not (isinstance(target, ast.Tuple) and isinstance(node, ast.Tuple) and isinstance(value, Sequence)):
        return False
    if value.items is None or not len(target.elts) == len(node.elts) == len(value.items):
        return False
    if any(isinstance(part, ast.Starred) for part in (*target.elts, *node.elts)):
        return False
    for part, kind, expr in zip(target.elts, value.items, node.elts, strict=True):
        assign(analysis, frame, part, kind, expr)
    return True


def _ann_assign(analysis: Analysis, frame: Frame, node: ast.AnnAssign) -> None:
    if node.value is None:
        return
    value = evaluate(analysis, frame, node.value)
    if value is UNKNOWN:
        value = analysis.annotated(frame.index, node.annotation) or UNKNOWN
    assign(analysis, frame, node.target, value, node.value)


def _aug_assign(analysis: Analysis, frame: Frame, node: ast.AugAssign) -> None:
    result = augmented(analysis, frame, node)
    assign(analysis, frame, node.target, result, None)


def _expr(analysis: Analysis, frame: Frame, node: ast.Expr) -> None:
    evaluate(analysis, frame, node.value)


def _return(analysis: Analysis, frame: Frame, node: ast.Return) -> None:
    if node.value is not None:
        frame.returns.append(evaluate(analysis, frame, node.value))
    frame.exits.append(Counts(frame.counts))
    frame.alive = False


def _raise(analysis: Analysis, frame: Frame, node: ast.Raise) -> None:
    frame.alive = False


def _jump(analysis: Analysis, frame: Frame, node: ast.Continue | ast.Break) -> None:
    frame.jumps.append(frame.save())
    frame.alive = False


def _if(analysis: Analysis, frame: Frame, node: ast.If) -> None:
    evaluate(analysis, frame, node.test)
    truth = narrowing.static_truth(analysis, frame, node.test)
    start = frame.save()
    ends: list[PathState] = []
    for taken, body in ((True, node.body), (False, node.orelse)):
        if truth is not None and truth != taken:
            continue
        frame.load(start)
        frame.alive = True
        narrowing.narrow(analysis, frame, node.test, taken)
        is_for_loss, frame.is_for_loss = (
            frame.is_for_loss,
            frame.is_for_loss or losses.is_for_loss(analysis, frame, node.test, taken, body),
        )
        with branch(analysis, frame, node.test, taken):
            run_block(analysis, frame, body)
        frame.is_for_loss = is_for_loss
        if frame.alive:
            ends.append(frame.save())
    _resume(frame, ends, start)


def _resume(frame: Frame, ends: list[PathState], start: PathState) -> None:
    """Go on where the living branches meet; with none left the path is over."""
    frame.alive = bool(ends)
    if ends:
        frame.meet(ends)
    else:
        frame.load(start)


def _for(analysis: Analysis, frame: Frame, node: ast.For) -> None:
    iterable = evaluate(analysis, frame, node.iter)
    child_positions.note_taken(analysis, frame, iterable)

    def bind(loop: int) -> None:
        assign(analysis, frame, node.target, iterate(iterable, loop), None)
        for name in ast.walk(node.target):
            if isinstance(name, ast.Name):
                frame.loop_names[name.id] = loop
        if isinstance(node.target, ast.Name):
            frame.loop_strides.pop(node.target.id, None)
            if (stride := stride_of(node.iter)) > 1:
                frame.loop_strides[node.target.id] = stride
        frame.loop_values.update(computed_indices(node))

    _loop(analysis, frame, node, bind)


def _while(analysis: Analysis, frame: Frame, node: ast.While) -> None:
    _loop(analysis, frame, node, lambda _: evaluate(analysis, frame, node.test))


def _loop(analysis: Analysis, frame: Frame, node: ast.For | ast.While, bind: Callable[[int], object]) -> None:
    """Run the body until the kinds settle (twice at most), then count its events as repeated."""
    loop = analysis.next_loop()
    before = frame.save()
    outer_jumps, frame.jumps = frame.jumps, []
    frame.loops.append(loop)
    frame.earlier.append(before.counts)
    body = Counts()
    for _ in range(2):
        frame.counts, frame.jumps, frame.alive = Counts(), [], True
        entry = dict(frame.scope.names)
        bind(loop)
        run_block(analysis, frame, node.body)
        ends = [*frame.jumps, *([frame.save()] if frame.alive else [])]
        if ends:
            frame.meet([*ends, PathState(entry, Counts())])
        body = Counts(frame.counts)
        if frame.scope.names == entry:
            break
    frame.loops.pop()
    frame.earlier.pop()
    frame.jumps, frame.alive = outer_jumps, True
    merged = frame.scope.names
    frame.counts = Counts(before.counts)
    frame.counts.add_all(body.repeated(loop))
    frame.scope.names = merged
    run_block(analysis, frame, node.orelse)


def _with(analysis: Analysis, frame: Frame, node: ast.With | ast.AsyncWith) -> None:
    for item in node.items:
        value = _entered(analysis, frame, evaluate(analysis, frame, item.context_expr))
        if item.optional_vars is not None:
            assign(analysis, frame, item.optional_vars, value, None)
    run_block(analysis, frame, node.body)


def _entered(analysis: Analysis, frame: Frame, manager: Kind) -> Kind:
    """The value that `with manager as name` binds: a generator's yield, or the result of `__enter__`.

    A list is not a context manager: a function that yields gives one here only where contextlib made a manager of it.
    """
    if isinstance(manager, Sequence):
        return iterate(manager)
    if isinstance(manager, Object):
        return instances.call_own(analysis, frame, manager, "__enter__") or UNKNOWN
    return manager


def _try(analysis: Analysis, frame: Frame, node: ast.Try | ast.TryStar) -> None:
    start = frame.save()
    ends: list[PathState] = []
    run_block(analysis, frame, node.body)
    run_block(analysis, frame, node.orelse)
    if frame.alive:
        ends.append(frame.save())
    for handler in node.handlers:
        frame.load(start)
        frame.alive = True
        run_block(analysis, frame, handler.body)
        if frame.alive:
            ends.append(frame.save())
    _resume(frame, ends, start)
    run_block(analysis, frame, node.finalbody)


def _match(analysis: Analysis, frame: Frame, node: ast.Match) -> None:
    subject = evaluate(analysis, frame, node.subject)
    start = frame.save()
    ends = [start.copy()]
    for case in node.cases:
        frame.load(start)
        frame.alive = True
        for pattern in ast.walk(case.pattern):
            name = getattr(pattern, "name", None)
            if isinstance(name, str):
                frame.scope.names[name] = subject
        run_block(analysis, frame, case.body)
        if frame.alive:
            ends.append(frame.save())
    _resume(frame, ends, start)


def _function(analysis: Analysis, frame: Frame, node: ast.FunctionDef) -> None:
    frame.scope.names[node.name] = Closure(node, frame.scope, frame.home)


def _class(analysis: Analysis, frame: Frame, node: ast.ClassDef) -> None:
    name = frame.index.inner.get(node)
    frame.scope.names[node.name] = ClassRef(frame.index.name, name) if name is not None else UNKNOWN


def _import(analysis: Analysis, frame: Frame, node: ast.Import | ast.ImportFrom) -> None:
    for alias in node.names:
        if isinstance(node, ast.Import):
            bound = alias.asname or alias.name.partition(".")[0]
            dotted = alias.name if alias.asname else bound
        else:
            bound, dotted = alias.asname or alias.name, f"{frame.index.absolute(node)}.{alias.name}"
        frame.scope.names[bound] = analysis.resolved(dotted)


def _assert(analysis: Analysis, frame: Frame, node: ast.Assert) -> None:
    evaluate(analysis, frame, node.test)
    narrowing.narrow(analysis, frame, node.test, True)


def _delete(analysis: Analysis, frame: Frame, node: ast.Delete) -> None:
    for target in node.targets:
        if isinstance(target, ast.Name):
            frame.scope.names.pop(target.id, None)


_RUNNERS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _ann_assign,
    ast.AugAssign: _aug_assign,
    ast.Expr: _expr,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Continue: _jump,
    ast.Break: _jump,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.Match: _match,
    ast.FunctionDef: _function,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Assert: _assert,
    ast.Delete: _delete,
}
