"""Calls of functions and methods of tensors: which are operations on activations, and their results."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import attributes
from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.environment import Counts
from qprep.analysis.interpreter.items import iterate
from qprep.analysis.interpreter.parameter_types import MOVES, PYTHON_TYPES
from qprep.analysis.interpreter.tensor_arithmetic import result_dtype
from qprep.analysis.values.abstract_values import (
    FLOAT,
    INT,
    INTEGER,
    NUMBER,
    OTHER,
    PART,
    REAL,
    SHAPE,
    TEXT,
    UNKNOWN,
    External,
    Kind,
    Number,
    Partial,
    Sequence,
    Tensor,
    flows,
    join,
    join_all,
    says_nothing,
    sequence_of,
    tensor_of,
)
from qprep.foundation.catalogue.op import OpClass, Result

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.foundation.catalogue.lookup import Spelling
    from qprep.foundation.catalogue.op import Op

_TO_FLOAT = frozenset(("float", "half", "double", "bfloat16"))
_TO_INTEGER = frozenset(("int", "long", "bool", "short", "byte", "char"))


def method(analysis: Analysis, frame: Frame, node: ast.Call, name: str, receiver: Tensor, arguments: Arguments) -> Kind:
    """`tensor.name(...)`."""
    if receiver.is_open and (found := _mapping_method(name, receiver)) is not None:
        return found
    row = analysis.catalogue.method(name)
    if row is None:
        if receiver.flow and not receiver.is_open:
            analysis.note_unknown(frame, node, f".{name}()")
        return PART if receiver.flow or arguments.flows else UNKNOWN
    op, spelling = row
    flow = receiver.flow or arguments.flows or analysis.is_proven(frame, node)
    if op.cls is OpClass.COMPUTE:
        return _compute(analysis, frame, node, op, spelling, [receiver, *arguments.all()], flow, "method")
    if spelling.is_inplace and flow and not receiver.flow:
        _taint(analysis, frame, node)
    if name in _TO_FLOAT:
        return Tensor(flow)
    if name in _TO_INTEGER:
        return Tensor(flow, INTEGER)
    if name == "type_as":
        like = tensor_of(arguments.args[0]) if arguments.args else None
        return Tensor(flow, like.dtype if like is not None else FLOAT)
    if name in ("to", "type"):
        return Tensor(flow, _moved_dtype(receiver, node))
    if name == "size":
        return INT if arguments.args or arguments.keywords else SHAPE
    dtype = INTEGER if op.result is Result.INTEGER else _named_dtype(node, receiver.dtype)
    return result_kind(op.result, Tensor(flow, dtype))


def _taint(analysis: Analysis, frame: Frame, node: ast.Call) -> None:
    """`buffer.copy_(x)`: what flows into the argument flows into the receiver."""
    _flow_into(analysis, frame, node.func.value if isinstance(node.func, ast.Attribute) else None)


def _flow_into(analysis: Analysis, frame: Frame, receiver: ast.expr | None) -> None:
    """A tensor that has a name, or is an attribute, gets values that an input flows into."""
    if isinstance(receiver, ast.Name):
        frame.scope.names[receiver.id] = Tensor(True)
    elif isinstance(receiver, ast.Attribute):
        attributes.store(analysis, frame, receiver, Tensor(True), None)


def _moved_dtype(receiver: Tensor, node: ast.Call) -> str:
    """The dtype after `.to(...)`: only a dtype argument changes it."""
    found = (_dtype_of(value) for value in node.args)
    return next((dtype for dtype in found if dtype is not None), _named_dtype(node, receiver.dtype))


def _named_dtype(node: ast.Call, otherwise: str) -> str:
    """The value of the argument `dtype=`."""
    found = (_dtype_of(k.value) for k in node.keywords if k.arg == "dtype")
    return next((dtype for dtype in found if dtype is not None), otherwise)


def _dtype_of(value: ast.expr) -> str | None:
    name = value.attr if isinstance(value, ast.Attribute) else ""
    if name == "dtype" or name.startswith(("float", "bfloat", "half", "double")):
        return FLOAT
    return INTEGER if name.startswith(("int", "long", "bool", "uint")) else None


def function(
    analysis: Analysis, frame: Frame, node: ast.Call, op: Op, spelling: Spelling, arguments: Arguments
) -> Kind:
    """`torch.name(...)`."""
    kinds = arguments.all()
    flow = arguments.flows or (frame.recording and _unknown_tensor(frame, node, arguments))
    flow = flow or analysis.is_proven(frame, node)
    if op.cls is OpClass.COMPUTE:
        return _compute(analysis, frame, node, op, spelling, kinds, flow, "function")
    if op.cls is OpClass.NOT_ACTIVATION:
        counts = op.name == "arange" and REAL not in kinds  # of numbers that are not said to be floats
        dtype = INTEGER if op.result is Result.INTEGER else _named_dtype(node, INTEGER if counts else FLOAT)
        return result_kind(op.result, Tensor(flow, dtype))
    tensors = [tensor for kind in kinds if (tensor := _first_tensor(kind)) is not None]
    dtype = tensors[0].dtype if tensors else FLOAT
    return result_kind(op.result, Tensor(flow, INTEGER if op.result is Result.INTEGER else _named_dtype(node, dtype)))


def _unknown_tensor(frame: Frame, node: ast.Call, arguments: Arguments) -> bool:
    """A torch function proves that its first argument is a tensor; a local one most likely comes from the input."""
    if not arguments.args or not node.args:
        return False
    first = arguments.args[0]
    if (first.item if isinstance(first, Sequence) else first) != UNKNOWN:
        return False
    root: ast.expr = node.args[0]
    while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
        root = root.func if isinstance(root, ast.Call) else root.value
    return isinstance(root, ast.Name) and root.id != "self" and frame.scope.lookup(root.id) is not None


def _first_tensor(kind: Kind) -> Tensor | None:
    found = tensor_of(kind)
    if found is None and isinstance(kind, Sequence):
        return tensor_of(kind.item)
    return found


def _compute(
    analysis: Analysis,
    frame: Frame,
    node: ast.Call,
    op: Op,
    spelling: Spelling,
    kinds: list[Kind],
    flow: bool,
    form: str,
) -> Kind:
    tensors = [tensor for kind in kinds if (tensor := _first_tensor(kind)) is not None]
    dtype = result_dtype(op, tensors, [kind for kind in kinds if isinstance(kind, Number)]) if tensors else FLOAT
    if not tensors and not flow:
        if any(map(says_nothing, kinds)):
            analysis.note_unknown(frame, node, f"{op.name}()")
            return UNKNOWN
        return Tensor(False)
    is_loss = any(tensor.is_loss for tensor in tensors)
    if flow and dtype != INTEGER and op.result is not Result.INTEGER:
        scalar = len(kinds) > 1 and isinstance(kinds[1], Number) and bool(op.operators)
        analysis.note_op(frame, node, op, spelling, form, scalar=scalar, is_loss=is_loss)
        if spelling.is_inplace and form == "method" and isinstance(kinds[0], Tensor) and not kinds[0].flow:
            _taint(analysis, frame, node)
        written = next((keyword.value for keyword in node.keywords if keyword.arg == "out"), None)
        _flow_into(analysis, frame, written)
    return _compute_result(op, len(kinds), Tensor(flow, dtype, is_loss=is_loss))


def _compute_result(op: Op, given: int, tensor: Tensor) -> Kind:
    """The result of an operation with so many arguments, its receiver among them."""
    if op.result is not Result.VALUES_INDICES_IF_DIM:
        return result_kind(op.result, tensor)
    pair = result_kind(Result.VALUES_INDICES, tensor)
    return join(pair, tensor) if given > 1 else tensor


def runtime_result(analysis: Analysis, name: str, arguments: Arguments) -> Kind:
    """The result of a module of qprep.runtime_modules: that of its operation."""
    op = analysis.catalogue.runtime_module(name)
    kinds = arguments.all()
    tensors = [tensor for kind in kinds if (tensor := _first_tensor(kind)) is not None]
    if op is None or not tensors:
        return Tensor(arguments.flows)
    dtype = result_dtype(op, tensors, [kind for kind in kinds if isinstance(kind, Number)])
    tensor = Tensor(arguments.flows, dtype)
    if op.result is Result.VALUES_INDICES_IF_DIM:
        return join(result_kind(Result.VALUES_INDICES, tensor), tensor)
    return result_kind(op.result, tensor)


def result_kind(result: Result, tensor: Tensor) -> Kind:
    """The kind that an operation returns, given the tensor it would be."""
    if result is Result.TENSOR:
        return tensor
    if result is Result.TENSORS:
        return Sequence(tensor)
    if result is Result.VALUES_INDICES:
        return sequence_of((tensor, Tensor(tensor.flow, INTEGER)))
    if result is Result.INTEGER:
        return Tensor(tensor.flow, INTEGER)
    if result is Result.NUMBER:
        return NUMBER
    if result is Result.SHAPE:
        return SHAPE
    return tensor if result is Result.VALUES_INDICES_IF_DIM else OTHER


def unknown_method(analysis: Analysis, frame: Frame, node: ast.Call, name: str, receiver: Kind) -> Kind | None:
    """A method that tensors have, called on a value of unknown kind: its result where a run saw it, else None."""
    row = analysis.catalogue.method(name)
    if row is None or row[0].cls is not OpClass.COMPUTE or receiver != UNKNOWN:
        return None
    if not analysis.is_proven(frame, node):
        analysis.note_unknown(frame, node, f".{name}()")
        return None
    analysis.note_op(frame, node, row[0], row[1], "method")
    return _compute_result(row[0], 1 + len(node.args) + len(node.keywords), Tensor(True))


def _mapping_method(name: str, item: Kind) -> Kind | None:
    """The result of a method of a dict whose values are of one kind."""
    results: dict[str, Kind] = {
        "keys": Sequence(TEXT),
        "values": Sequence(item),
        "items": Sequence(sequence_of((TEXT, item))),
        "get": item,
        "pop": item,
    }
    return results.get(name)


def part_method(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """A method of something that belongs to an input: of a tensor where nothing of Python's has one of that name."""
    found, row = _mapping_method(name, PART), analysis.catalogue.method(name)
    if found is not None or row is None or name in MOVES or row[1].is_inplace:
        return found or PART
    if any(hasattr(cls, name) for cls in PYTHON_TYPES):
        if row[0].cls is OpClass.COMPUTE:
            analysis.note_unknown(frame, node, f".{name}()")
        return PART
    return method(analysis, frame, node, name, Tensor(True), arguments)


def python_function(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """sum, abs, min, max and pow of Python, or math.prod, on tensors or numbers."""
    if not arguments.flows:
        return join_all(map(iterate, arguments.args)) if name in ("min", "max") and len(arguments.args) == 1 else NUMBER
    row = analysis.catalogue.function(f"builtins.{name}")
    if row is None:
        if name not in ("min", "max"):  # which give back what they are given
            analysis.note_unknown(frame, node, f"{name}()")
        return join_all([arg if tensor_of(arg) else iterate(arg) for arg in arguments.args])
    tensor = _first_tensor(arguments.args[0]) if arguments.args else None
    if tensor is not None and tensor.dtype == INTEGER:
        return tensor
    if all(_first_tensor(arg) is None for arg in arguments.args):
        analysis.note_unknown(frame, node, f"{name}()")
        return PART
    is_loss = any((each := _first_tensor(arg)) is not None and each.is_loss for arg in arguments.all())
    analysis.note_op(frame, node, row[0], row[1], "builtin", is_loss=is_loss)
    return Tensor(True, is_loss=is_loss)


def higher_order(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """map, filter and functools.reduce: the callable runs once for each item."""
    callee, loop = arguments.args[0], analysis.next_loop()
    items = [iterate(arg, loop) for arg in arguments.args[1:]]
    if name == "functools.reduce":
        items = [join_all([items[0], *arguments.args[2:]]) if len(arguments.args) > 2 else items[0], items[0]]
    function, place = _passed_function(callee, node.args[0])
    row = analysis.catalogue.function(function.name) if function is not None else None
    outer, frame.counts = frame.counts, Counts()
    frame.loops.append(loop)
    frame.earlier.append(outer)
    if row is not None and row[0].cls is OpClass.COMPUTE and any(map(flows, items)):
        analysis.note_op(frame, place, row[0], row[1], "value")
        result: Kind = Tensor(True)
    else:
        result = analysis.call_kind(frame, node, callee, Arguments(items))
    frame.loops.pop()
    frame.earlier.pop()
    repeated = frame.counts.repeated(loop)
    frame.counts = outer
    frame.counts.add_all(repeated)
    return result if name == "functools.reduce" else Sequence(result if name == "map" else items[0])


def _passed_function(callee: Kind, node: ast.expr) -> tuple[External | None, ast.expr]:
    """A function of another package that is passed on, and where: `torch.cat`, `partial(torch.cat, dim=1)`."""
    match callee, node:
        case External(), _:
            return callee, node
        case Partial(function=External() as function, made=(made, *_)), ast.Call(args=[first, *more]) if made is node:
            is_plain = not any(isinstance(arg, ast.Starred) for arg in (first, *more))
            return function if is_plain else None, first
    return None, node
