"""Calls of functions and methods of the project, and reads of properties."""

from __future__ import annotations

import ast

from qprep.analysis.facts import ScriptedCall
from qprep.analysis.interpreter import (
    closures,
    entry_points,
)
from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.entry_points import finish_root, note_module_call
from qprep.analysis.interpreter.environment import CallSummary, Frame
from qprep.analysis.interpreter.function_runs import CLASS_METHOD
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.places import Unit
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values import call_sensitivity
from qprep.analysis.values.abstract_values import ClassRef, FunctionRef, Kind, Module, Object, Tensor, options
from qprep.analysis.values.access_paths import SELF, AccessPath
from qprep.analysis.values.closure_values import Closure
from qprep.analysis.values.path_events import (
    TOTAL,
    ChildCalled,
    FunctionCalled,
    MethodEntered,
    ModuleRan,
    ModuleRanAt,
    OperationCounted,
)

_SCRIPTING = frozenset(("torch.jit.script", "torch.jit.script_if_tracing"))


def call_function(analysis: Analysis, frame: Frame, node: ast.Call, ref: FunctionRef, arguments: Arguments) -> Kind:
    """Call a function or method of the project."""
    bound = ref.bound
    if bound is None and _is_scripted(analysis, ref):
        return _call_scripted(analysis, frame, node, ref, arguments)
    if (of_class := _of_class(analysis, ref)) is not None:
        summary = analysis.summary(frame, of_class, arguments, recording=frame.recording)
        _note_helper(analysis, frame, node, ref, summary)
        return at_call_site(analysis, frame, node, summary.returned, call_sensitivity.not_given(arguments.all()))
    if isinstance(bound, Object | ClassRef):
        made = call_sensitivity.not_given(arguments.all())
        return at_call_site(analysis, frame, node, call_beside(analysis, frame, ref, arguments), made)
    is_method = isinstance(bound, Module) and bound.is_self
    if isinstance(bound, Module) and not is_method and isinstance(bound.cls, ClassRef):
        if (
            frame.recording
            and arguments.flows
            and bound.path is not None
            and not _is_renewed(analysis, frame, bound.path)
        ):
            path = bound.path.method_result(DefinitionName.parse(ref.name).key)
            note_module_call(analysis, frame, node, path, path, bound.loops, {analysis.class_name(bound)})
        ref = FunctionRef(ref.module, ref.name, Module(bound.cls, SELF, None, bound.item))
    summary = analysis.summary(
        frame, ref, arguments, recording=frame.recording, root=bound is not None and not is_method
    )
    if is_method:
        _run_on_self(analysis, frame, ref, summary)
    elif bound is None:
        _note_helper(analysis, frame, node, ref, summary)
        for inner in options(summary.returned):
            if isinstance(inner, Closure) and inner.home.unit == Unit(ref.module, ref.name, False):
                closures.note_maker(frame, node, inner)
    elif isinstance(bound, Module) and isinstance(bound.cls, ClassRef) and frame.recording:
        finish_root(analysis, bound.cls, summary, is_forward=False)
    return at_call_site(analysis, frame, node, summary.returned, call_sensitivity.not_given(arguments.all()))


def _of_class(analysis: Analysis, ref: FunctionRef) -> FunctionRef | None:
    """A class method, bound to the class of the object that it is called on; None for any other function."""
    cls = ref.bound.cls if isinstance(ref.bound, Module | Object) else ref.bound
    if not isinstance(cls, ClassRef) or "." not in ref.name:
        return None
    node = analysis.project.function_node(ref)
    if node is None or not node.decorator_list or CLASS_METHOD not in analysis.decorators(ref.module, node):
        return None
    return FunctionRef(ref.module, ref.name, cls)


def _is_scripted(analysis: Analysis, ref: FunctionRef) -> bool:
    node = analysis.project.function_node(ref)
    return node is not None and not _SCRIPTING.isdisjoint(analysis.decorators(ref.module, node))


def _call_scripted(analysis: Analysis, frame: Frame, node: ast.Call, ref: FunctionRef, arguments: Arguments) -> Kind:
    """A function that TorchScript compiles: one operation, in which nothing can be put."""
    if frame.recording and arguments.flows:
        place = frame.place(node)
        analysis.facts.scripted.setdefault(place, ScriptedCall(place, frame.unit, frame.function, ref.name))
        frame.counts.add(TOTAL)
    return Tensor(arguments.flows)


def call_beside(analysis: Analysis, frame: Frame, ref: FunctionRef, arguments: Arguments) -> Kind:
    """Call a method of a class, or of an object that is not a module: what it runs, nothing there can own."""
    summary = analysis.summary(frame, ref, arguments, recording=frame.recording)
    frame.counts.add_all(summary.counts)
    frame.operation_places |= summary.operation_places
    return summary.returned


def _is_renewed(analysis: Analysis, frame: Frame, path: AccessPath) -> bool:
    owner = frame.self_kind.cls if isinstance(frame.self_kind, Module) else None
    return isinstance(owner, ClassRef) and path.root in analysis.attributes_of(owner).renewed and path.is_attribute


def at_call_site(analysis: Analysis, frame: Frame, node: ast.Call, kind: Kind, made: call_sensitivity.Made) -> Kind:
    """The result of a call with an allocation site of this call for each module that the callee allocated."""
    return kind if frame.recording else call_sensitivity.at_call_site(kind, analysis.origin(frame, node), made)


def _note_helper(analysis: Analysis, frame: Frame, node: ast.Call, ref: FunctionRef, summary: CallSummary) -> None:
    for event, times in summary.counts.items():
        if isinstance(event, ModuleRan | ModuleRanAt | OperationCounted | ChildCalled):
            frame.counts.add(event, times)
    if not frame.recording or not summary.operation_places:
        return
    frame.operation_places |= summary.operation_places
    frame.counts.add(FunctionCalled(frame.place(node)))
    analysis.note_callee(frame.place(node), frame.unit, frame.function, Unit(ref.module, ref.name, False))


def read_property(analysis: Analysis, frame: Frame, getter: FunctionRef, node: ast.Attribute | None) -> Kind:
    """The result of a property; the operations of its method belong to the place that reads it."""
    bound = getter.bound
    if isinstance(bound, Object | ClassRef):
        return call_beside(analysis, frame, getter, Arguments())
    if isinstance(bound, Module) and bound.is_self:
        summary = analysis.summary(frame, getter, Arguments(), recording=frame.recording)
        _run_on_self(analysis, frame, getter, summary)
        return summary.returned
    if frame.recording and isinstance(bound, Module) and isinstance(bound.cls, ClassRef):
        ref = FunctionRef(getter.module, getter.name, Module(bound.cls, SELF, None, bound.item))
        summary = analysis.summary(frame, ref, Arguments(), recording=True, root=True)
        finish_root(analysis, bound.cls, summary, is_forward=False)
        if summary.counts and node is not None and bound.path is not None:
            path = bound.path.attribute(node.attr)
            note_module_call(analysis, frame, node, path, path, bound.loops, {analysis.class_name(bound)})
    return analysis.summary(frame, getter, Arguments(), recording=False).returned


def _run_on_self(analysis: Analysis, frame: Frame, ref: FunctionRef, summary: CallSummary) -> None:
    """A method of self runs here."""
    entry_points.add_run(frame, summary.counts)
    frame.counts.add(MethodEntered(ref.module, ref.name))
    frame.operation_places |= summary.operation_places
