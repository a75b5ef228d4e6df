"""Calls of modules of the project: their forward runs, or what takes its place."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import (
    attributes,
    entry_points,
)
from qprep.analysis.interpreter.argument_binding import bind
from qprep.analysis.interpreter.arguments import Arguments, Callee
from qprep.analysis.interpreter.entry_points import finish_root
from qprep.analysis.interpreter.environment import NOTHING, CallSummary, Frame
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.places import Unit
from qprep.analysis.symbols.function_modules import is_function_like
from qprep.analysis.values.abstract_values import (
    UNKNOWN,
    ClassRef,
    FunctionRef,
    Kind,
    Module,
    Partial,
    Tensor,
    flows,
    join_all,
    modules_of,
    options,
)
from qprep.analysis.values.access_paths import SELF
from qprep.analysis.values.closure_values import Closure, NameScope

if TYPE_CHECKING:
    from qprep.analysis.interpreter.installed_methods import Hook


def call_forward(analysis: Analysis, frame: Frame, module: Module, arguments: Arguments | None) -> Kind:
    """Call a module of a project class; without `arguments`, its parameters are assumed to be activations."""
    assert isinstance(module.cls, ClassRef)
    flow = arguments is None or arguments.flows
    if not frame.recording:
        return Tensor(False)
    bound = Module(module.cls, SELF, None, module.item)
    found = attributes.class_attribute(analysis, module.cls, bound, "forward")
    forwards = [option for option in options(found) if isinstance(option, FunctionRef | Closure | Partial)]
    if not forwards:
        return _inherited_forward(analysis, frame, module, arguments, flow)
    analysis.reached.add(module.cls)
    returned = join_all([_run_forward(analysis, frame, module.cls, f, arguments, flow) for f in forwards])
    return entry_points.around_forward(analysis, frame, module.cls, bound, arguments, returned)


def _run_forward(
    analysis: Analysis,
    frame: Frame,
    cls: ClassRef,
    forward: FunctionRef | Closure | Partial,
    arguments: Arguments | None,
    flow: bool,
) -> Kind:
    """One of the functions that are, or may be set as, a class's forward."""
    if not isinstance(forward, FunctionRef):
        return _run_lambda(analysis, cls, forward, arguments)
    known = analysis.knows_forward(forward, arguments)
    called_only = arguments is not None and is_function_like(analysis.project, cls)
    summary = analysis.summary(frame, forward, arguments, recording=True, root=True, called_only=called_only)
    table = analysis.attributes_of(cls)
    if table.has_new_flow:  # what a forward keeps on self, the next one, or a later step of it, finds there
        table.has_new_flow = False
        analysis.forget_summaries()
        summary = analysis.summary(frame, forward, arguments, recording=True, root=True, called_only=called_only)
    if not known:
        finish_root(analysis, cls, summary)
    if summary.returned == UNKNOWN and flow:
        return Tensor(True) if summary is NOTHING else UNKNOWN
    return summary.returned


def _run_lambda(analysis: Analysis, cls: ClassRef, forward: Closure | Partial, arguments: Arguments | None) -> Kind:
    """A forward that is not a method: `forward = lambda self, x: ...`, or a function that the constructor sets."""
    closure = forward.function if isinstance(forward, Partial) else forward
    index = analysis.project.index(cls.module)
    if not isinstance(closure, Closure) or index is None:
        return Tensor(True)
    bound = Module(cls, SELF)
    unit, function = Unit(cls.module, cls.name, True), f"{cls.name}.forward"
    inner = Frame(index, unit, function, bound, cls, NameScope({}), True)
    given = arguments
    if given is None:
        own = bound if isinstance(forward, Partial) else None
        names = bind(analysis, Callee(closure.home.index, closure.node, own, cls, True), None)
        positional = [arg.arg for arg in (*closure.node.args.posonlyargs, *closure.node.args.args)]
        given = Arguments([names[name] for name in positional[isinstance(forward, Partial) :]])
    name = ast.copy_location(ast.Name(id="forward", ctx=ast.Load()), closure.node)
    node = ast.copy_location(ast.Call(func=name, args=[], keywords=[]), closure.node)
    returned = analysis.call_kind(inner, node, forward, given)
    finish_root(analysis, cls, CallSummary(returned, inner.counts, frozenset(inner.operation_places)))
    return returned


def run_installed(analysis: Analysis, module: str, function: FunctionRef | Closure, owner: Module | None) -> None:
    """A function that is made a method of a module from outside its class."""
    frame = analysis.frame_of(module)
    if frame is None:
        return
    frame.recording = True
    if isinstance(function, FunctionRef):
        method = FunctionRef(function.module, function.name, owner)
        summary = analysis.summary(frame, method, None, recording=True, root=True)
    else:
        cls = owner.cls if owner is not None and isinstance(owner.cls, ClassRef) else None
        names = bind(analysis, Callee(function.home.index, function.node, owner, cls, True), None)
        positional = [arg.arg for arg in (*function.node.args.posonlyargs, *function.node.args.args)]
        given = Arguments([names[name] for name in positional])
        name = ast.copy_location(ast.Name(id="forward", ctx=ast.Load()), function.node)
        node = ast.copy_location(ast.Call(func=name, args=[], keywords=[]), function.node)
        returned = analysis.call_kind(frame, node, function, given)
        summary = CallSummary(returned, frame.counts, frozenset(frame.operation_places))
    entry_points.settle(analysis, summary)


def run_hook(analysis: Analysis, module: str, hook: Hook) -> None:
    """A hook: where its result takes the place of an input or output, its operations are the model's."""
    frame = analysis.frame_of(module)
    if frame is None:
        return
    frame.recording = True
    before = entry_points.sizes(analysis.facts)
    returned = analysis.call_kind(frame, hook.call, hook.function, hook.arguments)
    if flows(returned):
        entry_points.settle(analysis, CallSummary(returned, frame.counts, frozenset(frame.operation_places)))
    else:
        entry_points.forget(analysis.facts, before)


def _inherited_forward(
    analysis: Analysis, frame: Frame, module: Module, arguments: Arguments | None, flow: bool
) -> Kind:
    """A class of torch.nn's with another constructor; a Sequential passes its input on."""
    assert isinstance(module.cls, ClassRef)
    if analysis.is_container(module.cls) and flow and arguments is not None and module.cls not in analysis.reached:
        analysis.reached.add(module.cls)
        for item in modules_of(attributes.item_of(analysis, module)):
            if isinstance(item.cls, ClassRef):
                analysis.call_forward(frame, item, Arguments([Tensor(True)]))
    return Tensor(flow)
