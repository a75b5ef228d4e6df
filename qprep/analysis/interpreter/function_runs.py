"""Evaluation of functions of the project: one summary for each function and arguments."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import (
    closures,
    decorated,
)
from qprep.analysis.interpreter.argument_binding import bind
from qprep.analysis.interpreter.arguments import Callee
from qprep.analysis.interpreter.class_scopes import ClassScopes
from qprep.analysis.interpreter.environment import NOTHING, CallSummary, Counts, Frame
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.places import Unit
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import NONE, ClassRef, FunctionRef, Kind, Module, flows
from qprep.analysis.values.closure_values import NameScope
from qprep.analysis.values.path_events import FunctionCalled, OperationRan
from qprep.foundation.lru_store import LruStore

if TYPE_CHECKING:
    import ast

    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.symbols.symbol_table import FileIndex

CLASS_METHOD = "builtins.classmethod"
WITHOUT_OBJECT = frozenset(("builtins.staticmethod", CLASS_METHOD))  # methods that no instance owns anything of
MAX_RECURSION = 3  # a function inside itself, each time with other arguments: more would tell nothing new
KEPT_SUMMARIES = 20_000  # calls whose evaluation is remembered; one forgotten is evaluated again, with the same facts


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is evaluated: the function and what it is given, under the key of its summary."""

    key: object
    ref: FunctionRef
    node: ast.FunctionDef
    index: FileIndex
    arguments: Arguments | None
    recording: bool
    root: bool
    is_entry: bool
    beside: bool
    is_static: bool

    @property
    def cls(self) -> ClassRef | None:
        """The class whose method it is."""
        owner = DefinitionName.parse(self.ref.name).owner
        return ClassRef(self.ref.module, owner) if owner else None

    @property
    def unit(self) -> Unit:
        """The class or function that its operations belong to."""
        cls = self.cls
        if cls is None or self.is_static:
            return Unit(self.ref.module, self.ref.name, False)
        return Unit(cls.module, cls.name, True)


class FunctionRuns:
    """The summaries of calls, least recently used ones forgotten first."""

    def __init__(self, scopes: ClassScopes) -> None:
        self._scopes = scopes
        self._memo: LruStore[object, CallSummary] = LruStore(KEPT_SUMMARIES)
        self._active: Counter[tuple[str, str]] = Counter()  # how often each function is running
        self._results: dict[tuple[str, str], Kind] = {}  # of functions that are evaluated again, for calls inside them
        self._made: list[object] = []  # the keys of summaries that were made since no function was running

    def knows_forward(self, forward: FunctionRef, arguments: Arguments | None) -> bool:
        """True if a method has been evaluated as a forward, for these arguments."""
        return ("root", forward, arguments.key if arguments is not None else None) in self._memo

    def forget(self) -> None:
        """Forget all summaries: what they were computed from has changed."""
        self._memo.clear()

    def stop(self) -> None:
        """No function is running any more: an error ended the evaluation."""
        self._active.clear()
        self._results.clear()

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
        """The summary of a call: kept by its arguments, and cut off inside itself.

        A function that calls itself is evaluated a second time, with the result of the first for the calls inside.
        """
        kind = "beside" if beside else "root" if root else recording
        key: object = (kind, ref, arguments.key if arguments is not None else None)
        key = (key, "loss") if frame.is_for_loss else key
        if (known := self._memo.get(key)) is not None:
            return known
        node, index = analysis.project.function_node(ref), analysis.project.index(ref.module)
        is_running = key in analysis.running
        if is_running and not root:  # an instance of its own class inside is another instance
            analysis.recursive.add(key)
        if node is None or index is None or len(analysis.running) > closures.MAX_DEPTH:
            return NOTHING
        name = ref.module, ref.name
        times = self._active[name]
        if times and ref.bound is None and not is_running:
            analysis.recursive.add(name)  # inside itself, whatever its arguments are
        if is_running or times >= MAX_RECURSION:
            return CallSummary(self._results[name], Counts(), frozenset()) if name in self._results else NOTHING
        is_static = "." in ref.name and not WITHOUT_OBJECT.isdisjoint(analysis.decorators(ref.module, node))
        is_entry = (root and not called_only) or arguments is None
        call = _Call(key, ref, node, index, arguments, recording, root, is_entry, beside, is_static)
        made_before = len(self._made)
        summary = self._run(analysis, frame, call)
        is_outermost = key in analysis.recursive or (name in analysis.recursive and not times)
        if is_outermost and name not in self._results and flows(summary.returned):
            summary = self._run_again(analysis, frame, call, summary.returned, made_before)
        self._settle(analysis, summary, is_method=call.unit.is_class)
        self._memo.put(key, summary)
        self._made.append(key)
        if not times and not any(self._active.values()):
            self._made.clear()
        return summary

    def _run_again(self, analysis: Analysis, frame: Frame, call: _Call, result: Kind, made_before: int) -> CallSummary:
        """Evaluate a function again, with a known result for the calls of itself inside it."""
        name = call.ref.module, call.ref.name
        for key in self._made[made_before:]:
            self._memo.discard(key)
        self._results[name] = result
        try:
            return self._run(analysis, frame, call)
        finally:
            self._results.pop(name, None)

    def _run(self, analysis: Analysis, frame: Frame, call: _Call) -> CallSummary:
        ref, node, index, cls, unit = call.ref, call.node, call.index, call.cls, call.unit
        bound = None if call.is_static and not isinstance(ref.bound, ClassRef) else ref.bound
        callee = Callee(index, node, bound, cls, call.is_entry, call.beside)
        names = bind(analysis, callee, call.arguments)
        inner = Frame(
            index, unit, ref.name, ref.bound, cls, NameScope(names, self._scopes.around(analysis, cls)), call.recording
        )
        inner.is_for_loss = frame.is_for_loss
        if not call.root and isinstance(ref.bound, Module):
            inner.caller = frame
        parameters = dict(names)
        analysis.running.add(call.key)
        self._active[ref.module, ref.name] += 1
        if call.recording:
            analysis.ran.add((ref.module, ref.name))
        try:
            analysis.run_block(inner, node.body)
        finally:
            analysis.running.discard(call.key)
            self._active[ref.module, ref.name] -= 1
        returned = inner.returned() if inner.returns else NONE
        if node.decorator_list and (maker := analysis.frame_of(ref.module)) is not None:
            around = Frame(index, unit, ref.name, ref.bound, cls, NameScope(parameters), call.recording)
            returned = decorated.wrapped(analysis, maker, around, node, returned)
            inner.exits.append(inner.total())
            inner.alive = False
            for path in inner.exits:
                path.add_all(around.counts)
            inner.operation_places |= around.operation_places
        runs_again = call.key in analysis.recursive or (ref.module, ref.name) in analysis.recursive
        counts = inner.total().repeated(analysis.next_loop()) if runs_again else inner.total()
        return CallSummary(returned, counts, frozenset(inner.operation_places))

    def _settle(self, analysis: Analysis, summary: CallSummary, *, is_method: bool) -> None:
        """A function outside classes owns its operations: its counts are final."""
        if is_method:
            return
        for event, times in summary.counts.items():
            if isinstance(event, OperationRan) and event.place in analysis.facts.ops:
                site = analysis.facts.ops[event.place]
                site.count = max(site.count, times)
            elif isinstance(event, FunctionCalled):
                helper = analysis.facts.helpers[event.place]
                helper.count = max(helper.count, times)
