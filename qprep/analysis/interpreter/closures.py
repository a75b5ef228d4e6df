"""Calls of lambdas and nested functions: what happens in them happens where they are called, in their own scope."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter.argument_binding import bind
from qprep.analysis.interpreter.arguments import Callee
from qprep.analysis.interpreter.environment import CallSummary, Frame
from qprep.analysis.values import call_sensitivity
from qprep.analysis.values.abstract_values import NONE, UNKNOWN
from qprep.analysis.values.closure_values import NameScope
from qprep.analysis.values.path_events import FunctionCalled, OperationCounted, OperationRan

if TYPE_CHECKING:
    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.values.abstract_values import Kind
    from qprep.analysis.values.closure_values import Closure

MAX_DEPTH = 48  # calls inside each other; beyond that nothing is known
_REPLAYED = (OperationCounted, OperationRan, FunctionCalled)  # events that mean the same wherever the call stands


def call(analysis: Analysis, frame: Frame, node: ast.Call, closure: Closure, arguments: Arguments) -> Kind:
    """The result of calling a closure with these arguments."""
    home = closure.home
    if closure in analysis.running:
        analysis.recursive.add(closure)
        return UNKNOWN
    if len(analysis.running) > MAX_DEPTH:
        return UNKNOWN
    key = (closure, arguments.key, closure.scope.snapshot(), tuple(frame.loops), frame.is_for_loss)
    known = analysis.closures.get(key) if frame.recording else None
    if known is None:
        known = _run(analysis, frame, closure, arguments)
        if frame.recording and all(isinstance(event, _REPLAYED) for event in known.counts):
            analysis.closures[key] = known
    frame.counts.add_all(known.counts)
    frame.operation_places |= known.operation_places
    if known.operation_places:  # what made the function owns what runs in it
        for place, (unit, function) in home.callers.items():
            analysis.note_callee(place, unit, function, home.unit)
        home.callers.clear()
    return analysis.at_call_site(frame, node, known.returned, call_sensitivity.made_in(home.index.name, closure.node))


def note_maker(frame: Frame, node: ast.Call, closure: Closure) -> None:
    """A function outside classes gave back one inside it: remember who called it until that one runs."""
    if frame.recording:
        closure.home.callers.setdefault(frame.place(node), (frame.unit, frame.function))


def _run(analysis: Analysis, frame: Frame, closure: Closure, arguments: Arguments) -> CallSummary:
    home = closure.home
    names = bind(analysis, Callee(home.index, closure.node), arguments)
    scope = NameScope(names, closure.scope)
    inner = Frame(home.index, home.unit, home.function, home.self_kind, home.cls, scope, frame.recording)
    inner.loops, inner.loop_names = frame.loops, dict(home.loop_names)
    inner.caller, inner.is_for_loss = frame, frame.is_for_loss
    analysis.running.add(closure)
    try:
        if isinstance(closure.node, ast.Lambda):
            inner.returns.append(analysis.evaluate(inner, closure.node.body))
        else:
            analysis.run_block(inner, closure.node.body)
    finally:
        analysis.running.discard(closure)
    counts = inner.total().repeated(analysis.next_loop()) if closure in analysis.recursive else inner.total()
    return CallSummary(inner.returned() if inner.returns else NONE, counts, frozenset(inner.operation_places))
