"""Evaluation of functions of the project: one summary for each function and arguments."""

from __future__ import annotations

import ast
from collections import Counter

from qprep.analysis.interpreter import (
    closures,
    decorated,
)
from qprep.analysis.interpreter.argument_binding import bind
from qprep.analysis.interpreter.arguments import Arguments, Callee
from qprep.analysis.interpreter.class_scopes import ClassScopes
from qprep.analysis.interpreter.environment import NOTHING, CallSummary, Frame
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.places import Unit
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import NONE, ClassRef, FunctionRef, Module
from qprep.analysis.values.closure_values import NameScope
from qprep.analysis.values.path_events import FunctionCalled, OperationRan
from qprep.foundation.lru_store import LruStore

MAX_RECURSION = 3  # a function inside itself, each time with other arguments: more would tell nothing new
KEPT_SUMMARIES = 20_000  # calls whose evaluation is remembered; one forgotten is evaluated again, with the same facts


class FunctionRuns:
    """The summaries of calls, least recently used ones forgotten first."""

    def __init__(self, scopes: ClassScopes) -> None:
        self._scopes = scopes
        self._memo: LruStore[object, CallSummary] = LruStore(KEPT_SUMMARIES)
        self._active: Counter[tuple[str, str]] = Counter()  # how often each function is running

    def knows_forward(self, forward: FunctionRef, arguments: Arguments | None) -> bool:
        """True if a method has been evaluated as a forward, for these arguments."""
        return ("root", forward, arguments.key if arguments is not None else None) in self._memo

    def forget(self) -> None:
        """Forget all summaries: what they were computed from has changed."""
        self._memo.clear()

    def stop(self) -> None:
        """No function is running any more: an error ended the evaluation."""
        self._active.clear()

    def summary(
        self,
        analysis: Analysis,
        frame: Frame,
        ref: FunctionRef,
        arguments: Arguments | None,
        *,
        recording: bool,
        root: bool = False,
        called_only: bool = False,
        beside: bool = False,
    ) -> CallSummary:
        """The summary of a call: kept by its arguments, and cut off inside itself."""
        key = (
            "beside" if beside else "root" if root else recording,
            ref,
            arguments.key if arguments is not None else None,
        )
        if (known := self._memo.get(key)) is not None:
            return known
        node = analysis.project.function_node(ref)
        index = analysis.project.index(ref.module)
        if key in analysis.running and not root:  # an instance of its own class inside is another instance
            analysis.recursive.add(key)
        if node is None or index is None or key in analysis.running or self._is_too_deep(analysis, ref):
            return NOTHING
        owner = DefinitionName.parse(ref.name).owner
        cls = ClassRef(ref.module, owner) if owner else None
        is_static = "builtins.staticmethod" in analysis.decorators(ref.module, node) if owner else False
        is_entry = (root and not called_only) or arguments is None
        names = bind(analysis, Callee(index, node, None if is_static else ref.bound, cls, is_entry, beside), arguments)
        unit = Unit(ref.module, owner, True) if owner and not is_static else Unit(ref.module, ref.name, False)
        inner = Frame(
            index, unit, ref.name, ref.bound, cls, NameScope(names, self._scopes.around(analysis, cls)), recording
        )
        if not root and isinstance(ref.bound, Module):
            inner.caller = frame
        around = Frame(index, unit, ref.name, ref.bound, cls, NameScope(dict(names)), recording)
        self._run_body(analysis, key, ref, inner, node)
        returned = inner.returned() if inner.returns else NONE
        if node.decorator_list and (maker := analysis.frame_of(ref.module)) is not None:
            returned = decorated.wrapped(analysis, maker, around, node, returned)
            _add_decorator(inner, around)
        runs_again = key in analysis.recursive or (ref.module, ref.name) in analysis.recursive
        counts = inner.total().repeated(analysis.next_loop()) if runs_again else inner.total()
        summary = CallSummary(returned, counts, frozenset(inner.touched))
        self._settle(analysis, unit, summary)
        self._memo.put(key, summary)
        return summary

    def _is_too_deep(self, analysis: Analysis, ref: FunctionRef) -> bool:
        """True if a function runs inside itself, or inside others, too often to be followed further."""
        if len(analysis.running) > closures.MAX_DEPTH:
            return True
        if ref.bound is None and self._active[ref.module, ref.name]:
            analysis.recursive.add((ref.module, ref.name))  # inside itself, whatever its arguments are
        return self._active[ref.module, ref.name] >= MAX_RECURSION

    def _run_body(self, analysis: Analysis, key: object, ref: FunctionRef, inner: Frame, node: ast.FunctionDef) -> None:
        """Evaluate the statements of a function, which counts as running meanwhile."""
        analysis.running.add(key)
        self._active[ref.module, ref.name] += 1
        if inner.recording:
            analysis.ran.add((ref.module, ref.name))
        try:
            analysis.run_block(inner, node.body)
        finally:
            analysis.running.discard(key)
            self._active[ref.module, ref.name] -= 1

    def _settle(self, analysis: Analysis, unit: Unit, summary: CallSummary) -> None:
        """A function outside classes owns its operations: its counts are final."""
        if unit.is_class:
            return
        for event, times in summary.counts.items():
            if isinstance(event, OperationRan) and event.place in analysis.facts.ops:
                site = analysis.facts.ops[event.place]
                site.count = max(site.count, times)
            elif isinstance(event, FunctionCalled):
                helper = analysis.facts.helpers[event.place]
                helper.count = max(helper.count, times)


def _add_decorator(inner: Frame, around: Frame) -> None:
    """Add the events of decorators to every path through a function."""
    inner.exits.append(inner.total())
    inner.alive = False
    for path in inner.exits:
        path.add_all(around.counts)
    inner.touched |= around.touched
