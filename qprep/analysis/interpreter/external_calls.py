"""Calls of torch, of other packages, and of unknown callables."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import (
    attributes,
    builtin_models,
    tensor_operations,
)
from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.instance_creation import new_nn_module
from qprep.analysis.interpreter.losses import is_loss
from qprep.analysis.interpreter.module_calls import RUNTIME, call_held_function, call_module, held_module
from qprep.analysis.interpreter.self_attributes import self_attribute
from qprep.analysis.symbols.ast_utils import walk
from qprep.analysis.values.abstract_values import (
    NONE,
    PART,
    UNKNOWN,
    ClassRef,
    External,
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
from qprep.analysis.values.access_paths import AccessPath
from qprep.analysis.values.closure_values import Closure
from qprep.analysis.values.path_events import CHILDREN
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL, STUBS, eager_name

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.foundation.catalogue.call_signature import Spelling
    from qprep.foundation.catalogue.op import Op

_TENSOR_FUNCTIONS = frozenset(
    ("torch", *(f"torch.{name}" for name in ("fft", "linalg", "nested", "nn.functional", "sparse", "special")))
) | frozenset(("torch.ops.aten", "torch._C._nn", "torch._higher_order_ops", "torch._VF"))
_OPERATORS = "torch.ops.aten."
_BASES = ("torch.nn.", "builtins.", "abc.", "typing.")


def call_external(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """The value that calling a function or class of torch or of another package returns."""
    found = builtin_models.function(analysis, frame, node, name, arguments)
    if found is not None:
        return found
    if name == attributes.APPLY:
        return Tensor(arguments.flows)
    if arguments.args and _gives_back(name) and modules_of(arguments.args[0]):
        return arguments.args[0]
    if name == f"{RUNTIME}PerCall.within":
        return _note_renewed(analysis, frame, arguments)
    if name == f"{RUNTIME}ClassOperation" and arguments.args:  # of which each object has one
        named = analysis.call_kind(frame, node, arguments.args[0], Arguments())
        return join_all(Module(module.cls, None, None, module.item) for module in modules_of(named))
    if name.startswith(RUNTIME) and name.removeprefix(RUNTIME)[:1].isupper():
        made = name.removesuffix(".wrap").removesuffix(".of")
        item = arguments.args[0] if made == f"{RUNTIME}PerCall" and arguments.args else None
        return Module(External(made), None, analysis.origin(frame, node), item)
    if name.startswith("torch.nn.") and name.count(".") == 2 and name[9].isupper():
        return new_nn_module(analysis, frame, node, name, arguments)
    if eager_name(name) in (FUNCTIONAL, *STUBS):
        return Module(External(name), None, analysis.origin(frame, node))
    row = _row(analysis, name, arguments)
    if row is not None:
        path = self_attribute(analysis, frame, node.func)
        if path is not None and frame.recording and arguments.flows and analysis.is_compute(row[0]):
            return call_held_function(analysis, frame, node, [External(name)], arguments)
        return tensor_operations.function(analysis, frame, node, row[0], row[1], arguments)
    if frame.recording:
        return _call_foreign(analysis, frame, node, name, arguments)
    return Module(None, None, analysis.origin(frame, node)) if _looks_like_class(name) else UNKNOWN


def _gives_back(name: str) -> bool:
    """True if a function of torch gives back the module that it is given: with other parameters, or compiled."""
    return name.startswith("torch.nn.utils.") or name in ("torch.compile", "torch.jit.script")


def _note_renewed(analysis: Analysis, frame: Frame, arguments: Arguments) -> Kind:
    """Records that `self.block` calls a fresh instance each time from here on."""
    path = self_attribute(analysis, frame, arguments.nodes[0]) if arguments.nodes else None
    owner = frame.self_kind.cls if isinstance(frame.self_kind, Module) else None
    if path is not None and isinstance(owner, ClassRef):
        analysis.attributes_of(owner).renewed.add(path)
    return NONE


def _call_foreign(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """A function of another package, of which nothing is known: one of torch's on activations is counted."""
    if is_loss(name):
        if arguments.flows and frame.place(node).module in analysis.with_losses:
            analysis.note_unknown(frame, node, f"{name}()")
        return Tensor(arguments.flows, is_loss=True)
    path = self_attribute(analysis, frame, node.func)
    if path is not None and arguments.flows:
        return call_module(analysis, frame, node, [Module(External(name), AccessPath((path,)))], arguments)
    if arguments.flows and _computes(name):
        analysis.note_unknown(frame, node, f"{name}()")
    return call_through(analysis, frame, node, arguments)


def _public(name: str) -> str:
    """The function of torch that an operator of torch.ops.aten is, whatever its overload: they have one signature."""
    return f"torch.{name.removeprefix(_OPERATORS).partition('.')[0]}" if name.startswith(_OPERATORS) else name


def _row(analysis: Analysis, name: str, arguments: Arguments) -> tuple[Op, Spelling] | None:
    """The operation that a function is; an operator of aten on one tensor may be one of torch.nn.functional alone."""
    row = analysis.catalogue.function(_public(name))
    if row is None and name.startswith(_OPERATORS) and len(arguments.all()) == 1:
        return analysis.catalogue.function(_public(name).replace("torch.", "torch.nn.functional.", 1))
    return row


def _computes(name: str) -> bool:
    """True if a function is one of torch's that take tensors, though the catalogue does not know it."""
    home, _, last = _public(name).rpartition(".")
    return home in _TENSOR_FUNCTIONS and not last.startswith(("is_", "_assert")) and not last[:1].isupper()


def _looks_like_class(name: str) -> bool:
    """An unresolved name in capitals is assumed to be a class: of what, only its package knows."""
    return name.rpartition(".")[2][:1].isupper()


def _is_callback(kind: Kind) -> bool:
    """True if an argument is given to be called: self is given to be analysed."""
    return all(
        isinstance(option, Closure | FunctionRef | Partial) or (isinstance(option, Module) and not option.is_self)
        for option in options(kind)
    )


def calls_its_argument(analysis: Analysis, frame: Frame, arguments: Arguments) -> bool:
    """True if an unknown callable is not a module: it is given one, `self._checkpointing(self.block, x)`."""
    if not (frame.recording and arguments.args and arguments.flows):
        return False
    first = arguments.args[0]
    return _is_callback(first) or (not flows(first) and _is_called_here(analysis, frame, arguments.nodes[0]))


def _is_called_here(analysis: Analysis, frame: Frame, node: ast.expr) -> bool:
    """True if the function calls what an expression refers to elsewhere, by the same words: `block(x)`."""
    function = analysis.project.function_node(FunctionRef(frame.index.name, frame.function))
    if function is None or not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return False
    text = ast.unparse(node)
    return any(isinstance(part, ast.Call) and ast.unparse(part.func) == text for part in walk(function))


def call_through(analysis: Analysis, frame: Frame, node: ast.Call, arguments: Arguments) -> Kind:
    """A foreign function given a callable and activations (checkpoint and its kin) is taken to call it once."""
    for position, option in enumerate(arguments.args):
        if _is_callback(option):
            rest = Arguments(arguments.args[position + 1 :], {}, arguments.nodes[position + 1 :])
            return analysis.call_kind(frame, node, option, rest) if rest.flows else UNKNOWN
    if arguments.args and (modules := modules_of(arguments.args[0])):  # one of these, or what nobody knows
        return call_module(analysis, frame, node, list(modules), Arguments(arguments.args[1:]))
    frame.counts.add(CHILDREN)
    return PART if arguments.flows else UNKNOWN


def call_unknown(analysis: Analysis, frame: Frame, node: ast.Call, arguments: Arguments) -> Kind:
    """An unknown callable: a factory of modules at construction, a module where it is an attribute of self."""
    if not frame.recording:
        return UNKNOWN if _looks_up_a_value(node) else Module(None, None, analysis.origin(frame, node))
    if arguments.flows:
        held = held_module(analysis, frame, node.func)
        if (
            _is_set_nowhere(analysis, frame, node.func)
            if held is not None
            else _may_compute(analysis, frame, node.func)
        ):
            analysis.note_unknown(frame, node, f"{ast.unparse(node.func)}()")
        if held is not None:
            return call_module(analysis, frame, node, [held], arguments)
        frame.counts.add(CHILDREN)  # it may be one: a loop's variable, something handed in
    callables = [arg for arg in arguments.args if _is_callback(arg)]
    if callables and arguments.flows:
        return call_through(analysis, frame, node, arguments)
    return PART if arguments.flows else UNKNOWN


def _is_set_nowhere(analysis: Analysis, frame: Frame, func: ast.expr) -> bool:
    """True for `self.act` if no code shows what `act` is: it may be a function as well as a module."""
    name, owner = self_attribute(analysis, frame, func), frame.self_kind
    if name is None or not isinstance(owner, Module) or not isinstance(owner.cls, ClassRef):
        return False
    chain = analysis.project.mro(owner.cls)
    is_known = all(isinstance(base, External | ClassRef) for base in chain) and all(
        base.name.startswith(_BASES) for base in chain if isinstance(base, External)
    )
    return is_known and name not in analysis.attributes_of(owner.cls).names


def _may_compute(analysis: Analysis, frame: Frame, func: ast.expr) -> bool:
    """True for a callable that may be a function: what a loop goes over is most likely a module."""
    if isinstance(func, ast.Name):
        return func.id not in frame.loop_names
    return isinstance(func, ast.Attribute) and analysis.catalogue.method(func.attr) is None


def _looks_up_a_value(node: ast.Call) -> bool:
    """`settings.get("width", 16)`: no module, where the default is a number or a text."""
    default = (
        node.args[1] if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args[1:] else None
    )
    return isinstance(default, ast.Constant) and default.value is not None
