"""Calls of modules: which instance runs, and what its forward returns."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import (
    attributes,
    tensor_operations,
)
from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.items import item_of_unknown
from qprep.analysis.interpreter.losses import is_loss
from qprep.analysis.interpreter.self_attributes import self_attribute
from qprep.analysis.symbols.function_modules import stand_in
from qprep.analysis.values.abstract_values import (
    ACTIVATION,
    OPEN,
    PARAMETER,
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Module,
    Partial,
    Sequence,
    Tensor,
    flows,
    join_all,
    modules_inside,
    modules_of,
    options,
)
from qprep.analysis.values.access_paths import AccessPath
from qprep.analysis.values.path_events import CHILDREN, SelfCalled

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

RUNTIME = "qprep.runtime_modules."


def call_module(analysis: Analysis, frame: Frame, node: ast.Call, modules: list[Module], arguments: Arguments) -> Kind:
    """Call a module: note which instance, and find out what its forward returns."""
    if frame.recording and arguments.flows:
        _note_call(analysis, frame, node, modules)
    # What a default or another branch makes tells more than a module that nobody knows.
    known = [module for module in modules if module.cls is not None] or modules
    return join_all([_module_result(analysis, frame, node, module, arguments) for module in known])


def _note_call(analysis: Analysis, frame: Frame, node: ast.Call, modules: list[Module]) -> None:
    frame.counts.add(CHILDREN)
    # Of several, the one that tells most: on self, and the same in each round of a loop.
    first = min(modules, key=lambda module: (module.path is None, bool(module.loops), str(module.path or "")))
    path = first.path
    if path is None and first.is_common:
        path = AccessPath.of_expression(node.func)
    if path is None or all(module.is_self for module in modules):
        frame.counts.add(SelfCalled())
        return
    identity = path.strided(frame.loop_strides) if len(modules) > 1 or first.origin is None else first.origin
    classes = {analysis.class_name(module) for module in modules}
    call = analysis.note_module_call(frame, node, identity, path, first.loops, classes)
    if call is None:
        return
    _note_each_choice(analysis, frame, node, modules)
    items = (module.item for module in modules if module.item is not None)
    call.parts |= {analysis.class_name(part) for item in items for part in modules_inside(item)}
    bound = frame.scope.lookup(node.func.id) if isinstance(node.func, ast.Name) else None
    call.is_named = call.is_named and bound == first and len(modules) == 1 and call.path == path
    if first.is_common and "." not in str(first.path or ""):
        call.is_common = True


def _note_each_choice(analysis: Analysis, frame: Frame, node: ast.Call, modules: list[Module]) -> None:
    """`(self.a if flag else self.b)(x)` runs one of several attributes: each counts as run, under its own name."""
    chosen = {m.path: m for m in modules if m.path is not None and m.path.is_attribute and not m.loops}
    if len(chosen) < 2 or len(chosen) < len(modules):
        return  # one attribute that holds several, or something that no attribute names
    for path, module in chosen.items():
        identity = module.origin if module.origin is not None else path.strided(frame.loop_strides)
        analysis.note_module_call(frame, node, identity, path, module.loops, {analysis.class_name(module)})


def _module_result(analysis: Analysis, frame: Frame, node: ast.Call, module: Module, arguments: Arguments) -> Kind:
    if isinstance(module.cls, ClassRef):
        return analysis.call_forward(frame, module, arguments)
    flow = arguments.flows
    if isinstance(module.cls, External):
        return _nn_result(analysis, frame, node, module, module.cls.name, arguments)
    return OPEN if flow else UNKNOWN


def _nn_result(
    analysis: Analysis, frame: Frame, node: ast.Call, module: Module, name: str, arguments: Arguments
) -> Kind:
    if name == "torch.nn.Sequential":
        return _sequential_result(analysis, frame, node, module, arguments)
    known = analysis.catalogue.nn_module(name.removeprefix("torch.nn."))
    if name == f"{RUNTIME}PerCall" and module.item is not None:
        return join_all(_module_result(analysis, frame, node, item, arguments) for item in modules_of(module.item))
    if name == f"{RUNTIME}Dispatch" and arguments.args:
        rest = Arguments(arguments.args[1:], arguments.keywords, arguments.nodes[1:], arguments.exact)
        if node.args:
            note_held_function(analysis, frame, node.args[0], arguments.args[0], rest)
        return join_all(_dispatched(analysis, frame, node, option, rest) for option in options(arguments.args[0]))
    if name.startswith(RUNTIME):
        return tensor_operations.runtime_result(analysis, name.removeprefix(RUNTIME), arguments)
    if name == "torch.nn.Identity" and arguments.args:
        return arguments.args[0]
    if is_loss(name):
        return Tensor(arguments.flows, is_loss=True)
    if known is not None:
        return tensor_operations.result_kind(known.result, ACTIVATION if arguments.flows else PARAMETER)
    return OPEN if arguments.flows else Tensor(False)


def _dispatched(analysis: Analysis, frame: Frame, node: ast.Call, callee: Kind, arguments: Arguments) -> Kind:
    """One of the functions that a Dispatch is given: it has a module of its own, or is called as it is."""
    if isinstance(callee, Partial):
        merged = Arguments([*callee.args, *arguments.args], {**dict(callee.keywords), **arguments.keywords})
        return join_all(_dispatched(analysis, frame, node, option, merged) for option in options(callee.function))
    cls = stand_in(analysis.project, callee) if isinstance(callee, FunctionRef) else None
    if cls is not None:
        return analysis.call_forward(frame, Module(cls), arguments)
    if isinstance(callee, FunctionRef):
        return analysis.call_kind(frame, node, callee, arguments)
    return Tensor(arguments.flows)


def _sequential_result(analysis: Analysis, frame: Frame, node: ast.Call, module: Module, arguments: Arguments) -> Kind:
    value = next(filter(flows, arguments.args), join_all(arguments.args[:1]))
    item = module.item
    if item is None:
        return Tensor(flows(value))
    parts = item.items if isinstance(item, Sequence) and item.items is not None else (item,)
    for part in parts:
        kinds = modules_of(part)
        if kinds:
            value = join_all(_module_result(analysis, frame, node, kind, Arguments([value])) for kind in kinds)
    return value


def held_module(analysis: Analysis, frame: Frame, func: ast.expr) -> Module | None:
    """`self.act`, or one of what `self.blocks` holds, where that is unknown: `self.blocks[i]`."""
    attribute = self_attribute(analysis, frame, func)
    if attribute is not None:
        return Module(None, AccessPath((attribute,)))
    if isinstance(func, ast.Subscript) and not isinstance(func.slice, ast.Slice):
        attribute = self_attribute(analysis, frame, func.value)
        return item_of_unknown(attribute, func.slice, frame) if attribute is not None else None
    return None


def note_held_function(analysis: Analysis, frame: Frame, func: ast.expr, callee: Kind, arguments: Arguments) -> None:
    """`self.act` is a module, or a function of the project, on one branch of the constructor, and one of torch on
    another."""
    names = [option.name for option in options(callee) if isinstance(option, External)]
    path = self_attribute(analysis, frame, func)
    owner = frame.self_kind.cls if isinstance(frame.self_kind, Module) else None
    if not names or path is None or not isinstance(owner, ClassRef) or not (frame.recording and arguments.flows):
        return
    rows = [analysis.catalogue.function(name) for name in names]
    if all(row is not None and analysis.is_compute(row[0]) for row in rows):
        attributes.held_function(analysis, frame, owner, path, names[0] if len(names) == 1 else "?")


def call_held_function(
    analysis: Analysis, frame: Frame, node: ast.Call, callees: list[Kind], arguments: Arguments
) -> Kind:
    """`self.act(x)` where `act` is one of several functions: it counts as one module once it is held as one."""
    path = self_attribute(analysis, frame, node.func)
    assert path is not None
    names = [option.name for option in callees if isinstance(option, External)]
    if (
        frame.self_kind is not None
        and isinstance(frame.self_kind, Module)
        and isinstance(frame.self_kind.cls, ClassRef)
    ):
        attributes.held_function(analysis, frame, frame.self_kind.cls, path, names[0] if len(names) == 1 else "?")
        entry = analysis.attributes_of(frame.self_kind.cls).names.get(path)
        if entry is None or not entry.creations:  # an attribute of the class, which a subclass may replace
            analysis.note_unknown(frame, node, f"self.{path}()")
    return call_module(analysis, frame, node, [Module(None, AccessPath((path,)))], arguments)
