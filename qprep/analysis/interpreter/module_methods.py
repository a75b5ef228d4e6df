"""Methods of nn.Module and its containers, also through `super()`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing, child_positions
from qprep.analysis.interpreter import attributes
from qprep.analysis.interpreter.container_methods import registry_method
from qprep.analysis.interpreter.environment import in_loop, rooted
from qprep.analysis.interpreter.self_attributes import self_attribute
from qprep.analysis.values.abstract_values import (
    NONE,
    OTHER,
    PARAMETER,
    TEXT,
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Module,
    Object,
    Sequence,
    Super,
    Tensor,
    join,
    join_all,
    modules_of,
    sequence_of,
)
from qprep.analysis.values.path_events import CHILDREN

if TYPE_CHECKING:
    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_PER_CALL = External("qprep.runtime_modules.PerCall")
_OPERATIONS = External("qprep.runtime_modules.ObjectOperations")
_MODULE_SELF = frozenset(
    ["to", "cuda", "cpu", "eval", "train", "half", "float", "double", "apply", "requires_grad_", "bfloat16", "type"]
)
_MODULE_ITEMS = frozenset(["children", "modules", "values", "__iter__"])
_MODULE_PAIRS = frozenset(["named_children", "named_modules", "items"])
_MODULE_ITEM = frozenset(["get_submodule", "__getitem__", "pop"])
_MODULE_PARTS: dict[str, Kind] = {
    **dict.fromkeys(("parameters", "buffers"), Sequence(PARAMETER)),
    **dict.fromkeys(("get_parameter", "get_buffer"), PARAMETER),
    "keys": Sequence(TEXT),
}


def module_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Module, name: str, arguments: Arguments
) -> Kind | None:
    """nn.Module's own methods; None for those that the project defines, and for unknown ones."""
    if isinstance(receiver.cls, ClassRef) and (
        analysis.defines(receiver.cls, name) or name in analysis.attributes_of(receiver.cls).names
    ):
        return None
    if name == "next" and receiver.cls == _PER_CALL and receiver.item is not None:
        return receiver.item
    if name == "given" and receiver.cls == _OPERATIONS and arguments.args:
        return arguments.args[0]
    child_positions.note_method(analysis, frame, receiver, name)
    if name in ("children", "named_children") and receiver.cls is not None:
        known = {receiver.cls} if isinstance(receiver.cls, ClassRef) else {ClassRef("torch.nn", "")}
        analysis.walked.setdefault((frame.index.name, node.lineno, node.col_offset), set()).update(known)
    if (found := _module_reading(analysis, receiver, name)) is not None:
        return found
    if receiver.is_self and isinstance(receiver.cls, ClassRef):
        return _registering(analysis, frame, node, receiver.cls, name, arguments)
    if name in ("append", "extend", "insert", "add_module", "register_module"):
        return _container_method(analysis, frame, node, receiver, name, arguments)
    return None


def child_of(analysis: Analysis, receiver: Module) -> Kind:
    """Any of the children of a module."""
    item = attributes.item_of(analysis, receiver)
    if receiver.path is None:
        return item
    item = rooted(item, receiver.path.any_item)
    for outer in receiver.loops:  # another parent in each round has other children
        item = in_loop(item, outer)
    return item


def _module_reading(analysis: Analysis, receiver: Module, name: str) -> Kind | None:
    """Methods that look things up in a module."""
    if name in _MODULE_SELF:
        return receiver
    if name in _MODULE_ITEMS:
        return Sequence(child_of(analysis, receiver))
    if name in _MODULE_PAIRS:
        return Sequence(sequence_of((TEXT, child_of(analysis, receiver))))
    if name in _MODULE_ITEM:
        return child_of(analysis, receiver)
    return _MODULE_PARTS.get(name)


def _container_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Module, name: str, arguments: Arguments
) -> Kind:
    """`layers.append(block)` on a ModuleList or Sequential."""
    held = [Module(m.cls, None, None, m.item) for arg in arguments.args for m in _contained(arg)]
    if not held:
        return NONE
    added = join_all(held)
    for arg, expr in zip(arguments.args, node.args, strict=False):
        aliasing.stored(analysis, frame, arg, expr, "container")
    known = _unrooted(receiver.item)
    item = added if known is None else join(known, added)
    grown = Module(receiver.cls, receiver.path, receiver.origin, item)
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        frame.scope.names[node.func.value.id] = grown
    target = node.func.value if isinstance(node.func, ast.Attribute) else None
    path = self_attribute(analysis, frame, target) if target is not None else None
    if path is not None and isinstance(frame.self_kind, Module) and isinstance(frame.self_kind.cls, ClassRef):
        analysis.attributes_of(frame.self_kind.cls).add(path, Module(receiver.cls, None, None, grown.item), None)
    return NONE


def _unrooted(item: Kind | None) -> Kind | None:
    """The items of a container, without their access paths; None if they are unknown."""
    held = [Module(m.cls, None, None, m.item) for m in modules_of(item)] if item is not None else []
    return join_all(held) if held else None


def _contained(kind: Kind) -> tuple[Module, ...]:
    if isinstance(kind, Sequence):
        return modules_of(kind.item)
    return modules_of(kind)


def _registering(
    analysis: Analysis, frame: Frame, node: ast.Call, cls: ClassRef, name: str, arguments: Arguments
) -> Kind | None:
    """self.add_module, self.register_buffer and their kin."""
    table = analysis.attributes_of(cls)
    if name in ("register_buffer", "register_parameter"):
        if node.args and isinstance(node.args[0], ast.Constant):
            table.add(str(node.args[0].value), PARAMETER, None)
        return NONE
    if name in ("add_module", "register_module", "append", "extend", "insert", "update", "__setitem__"):
        value = arguments.args[-1] if arguments.args else UNKNOWN
        first = node.args[0] if node.args else None
        if name in ("add_module", "register_module") and isinstance(first, ast.Constant) and len(node.args) > 1:
            attributes.bind(analysis, frame, cls, str(first.value), value, node.args[1])
        else:
            table.add_dynamic(join_all(_contained(value)) if _contained(value) else Module(None))
        return NONE
    return None


def super_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Super, name: str, arguments: Arguments
) -> Kind | None:
    """Methods that `super()` reaches outside the project: constructors of torch.nn's containers, and forward."""
    found = attributes.super_attribute(analysis, receiver, name)
    self_kind = receiver.self
    if not isinstance(found, External):
        return None
    if isinstance(self_kind, Object):
        return registry_method(analysis, frame, node, self_kind, name, arguments)
    if name == "__init__" and isinstance(self_kind, Module) and isinstance(self_kind.cls, ClassRef):
        if analysis.is_container(self_kind.cls):
            held = [module for arg in arguments.args for module in _contained(arg)]
            if held:
                items = join_all(Module(m.cls, None, None, m.item) for m in held)
                analysis.attributes_of(self_kind.cls).add_dynamic(items)
            for arg, expr in zip(arguments.args, arguments.nodes, strict=False):
                if not isinstance(expr, ast.Starred):
                    aliasing.stored(analysis, frame, arg, expr, "container")
        return NONE
    if name in ("forward", "__call__"):
        return _super_forward(analysis, frame, node, self_kind, name, arguments)
    if isinstance(self_kind, Module) and name in ("add_module", "register_buffer", "register_parameter"):
        return module_method(analysis, frame, node, self_kind, name, arguments)
    return OTHER


def _super_forward(
    analysis: Analysis, frame: Frame, node: ast.Call, self_kind: Kind, name: str, arguments: Arguments
) -> Kind:
    """torch's own forward, or its `__call__`, which runs the forward of self."""
    if name == "__call__" and isinstance(self_kind, Module) and isinstance(self_kind.cls, ClassRef):
        forward = attributes.class_attribute(analysis, self_kind.cls, self_kind, "forward")
        if isinstance(forward, FunctionRef):
            return analysis.call_function(frame, node, forward, arguments)
    if arguments.flows:
        frame.counts.add(CHILDREN)
    return Tensor(arguments.flows)
