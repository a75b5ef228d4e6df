"""Operations on values: which are tensor arithmetic on activations, and what they give."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing
from qprep.analysis.interpreter import attributes, instances
from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.environment import Counts
from qprep.analysis.interpreter.items import iterate
from qprep.analysis.interpreter.parameter_types import MOVES, PYTHON_TYPES
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
    Plain,
    Sequence,
    Tensor,
    Word,
    flows,
    is_plain,
    join,
    join_all,
    options,
    says_nothing,
    sequence_of,
    tensor_of,
)
from qprep.foundation.catalogue.integers import KEEPS_INTEGERS
from qprep.foundation.catalogue.op import OpClass, Result

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.foundation.catalogue.lookup import Spelling
    from qprep.foundation.catalogue.op import Op

SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.USub: "-x",
    ast.UAdd: "+x",
    ast.Invert: "~x",
}
MAX_REPEATED = 16
_TO_FLOAT = frozenset(("float", "half", "double", "bfloat16"))
_TO_INTEGER = frozenset(("int", "long", "bool", "short", "byte", "char"))


def binary(analysis: Analysis, frame: Frame, node: ast.BinOp) -> Kind:
    """`left + right`."""
    left = analysis.evaluate(frame, node.left)
    right = analysis.evaluate(frame, node.right)
    return _arithmetic(analysis, frame, node, SYMBOLS[type(node.op)], left, right, "operator")


def augmented(analysis: Analysis, frame: Frame, node: ast.AugAssign) -> Kind:
    """`target += value`."""
    target = analysis.evaluate(frame, node.target)
    value = analysis.evaluate(frame, node.value)
    return _arithmetic(analysis, frame, node, SYMBOLS[type(node.op)], target, value, "augmented")


def unary(analysis: Analysis, frame: Frame, node: ast.UnaryOp) -> Kind:
    """`-x`; `not x` is a number."""
    kind = analysis.evaluate(frame, node.operand)
    if isinstance(node.op, ast.Not):
        return INT
    tensor = tensor_of(kind)
    op = analysis.catalogue.operator(SYMBOLS[type(node.op)])
    if tensor is None:
        if says_nothing(kind) and op is not None and op.cls is OpClass.COMPUTE:
            analysis.note_unknown(frame, node, SYMBOLS[type(node.op)].removesuffix("x"))
        return kind
    if op is None or op.cls is not OpClass.COMPUTE or tensor.dtype == INTEGER or not tensor.flow:
        return tensor
    analysis.note_op(frame, node, op, None, "unary")
    return Tensor(tensor.flow, tensor.dtype)


def _arithmetic(
    analysis: Analysis, frame: Frame, node: ast.BinOp | ast.AugAssign, symbol: str, left: Kind, right: Kind, form: str
) -> Kind:
    if (own := instances.operate(analysis, frame, symbol, left, right)) is not None:
        return own
    tensors = [tensor for tensor in (tensor_of(left), tensor_of(right)) if tensor is not None]
    if not tensors:
        return _python_arithmetic(analysis, frame, node, symbol, left, right)
    other = right if tensor_of(left) is not None else left
    if len(tensors) == 1 and is_plain(other):
        return other if isinstance(other, Sequence) else UNKNOWN
    op = analysis.catalogue.operator(symbol)
    flow = any(tensor.flow for tensor in tensors) or analysis.is_proven(frame, node)
    if not flow and says_nothing(other):  # a parameter added to what may well be an activation
        return _unknown_arithmetic(analysis, frame, node, symbol, scalar=False)
    dtype = _result_dtype(op, tensors, [other] if len(tensors) == 1 else [])
    if op is not None and op.cls is OpClass.COMPUTE and flow and dtype != INTEGER:
        analysis.note_op(frame, node, op, None, form, scalar=isinstance(other, Number))
        if isinstance(left, Number) and (site := analysis.facts.ops.get(frame.place(node))) is not None:
            site.number_first = True
    return Tensor(flow, dtype)


def _result_dtype(op: Op | None, tensors: list[Tensor], others: list[Kind]) -> str:
    """INTEGER where an integer operation meets integers only."""
    if op is None:
        return INTEGER
    if op.name not in KEEPS_INTEGERS or any(tensor.dtype != INTEGER for tensor in tensors):
        return FLOAT
    return FLOAT if any(other == REAL for other in others) else INTEGER


def _python_arithmetic(
    analysis: Analysis, frame: Frame, node: ast.BinOp | ast.AugAssign, symbol: str, left: Kind, right: Kind
) -> Kind:
    """Arithmetic without a tensor that we know of."""
    sequences = [option for kind in (left, right) for option in options(kind) if isinstance(option, Sequence)]
    if sequences:
        if symbol == "*":
            aliasing.repeated(analysis, frame, node, sequences)
        if symbol == "*" and (items := _repeated_items(node, sequences)) is not None:
            return Sequence(sequences[0].item, items)
        return Sequence(join_all(s.item for s in sequences)) if symbol in ("+", "*") else UNKNOWN
    if SHAPE in (left, right):
        return SHAPE
    if any(kind == TEXT or isinstance(kind, Word) for kind in (left, right)):
        return TEXT
    if isinstance(left, Number) and isinstance(right, Number):
        if symbol == "/" or REAL in (left, right):
            return REAL
        return INT if left == INT and right == INT and symbol != "**" else NUMBER
    if isinstance(left, Plain) or isinstance(right, Plain):
        return OTHER
    if says_nothing(left) or says_nothing(right):
        return _unknown_arithmetic(
            analysis,
            frame,
            node,
            symbol,
            scalar=isinstance(left, Number) or isinstance(right, Number),
            flowing_part=flows(left) or flows(right),
        )
    return NUMBER if isinstance(left, Number) or isinstance(right, Number) else UNKNOWN


def _repeated_items(node: ast.BinOp | ast.AugAssign, sequences: list[Sequence]) -> tuple[Kind, ...] | None:
    """The items of `[a, b] * 3`, where all are written out."""
    factors = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    times = [part.value for part in factors if isinstance(part, ast.Constant) and isinstance(part.value, int)]
    items = sequences[0].items if len(sequences) == 1 else None
    return items * times[0] if items is not None and len(times) == 1 and times[0] <= MAX_REPEATED else None


def _unknown_arithmetic(
    analysis: Analysis,
    frame: Frame,
    node: ast.BinOp | ast.AugAssign,
    symbol: str,
    *,
    scalar: bool,
    flowing_part: bool = False,
) -> Kind:
    """Arithmetic of which only a run can tell whether it is of activations."""
    op = analysis.catalogue.operator(symbol)
    if op is None or op.cls is not OpClass.COMPUTE or not analysis.is_proven(frame, node):
        analysis.note_unknown(frame, node, symbol)
        return PART if flowing_part else UNKNOWN
    form = "augmented" if isinstance(node, ast.AugAssign) else "operator"
    analysis.note_op(frame, node, op, None, form, scalar=scalar)
    return Tensor(True)


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
    receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
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
    if not arguments.args or arguments.args[0] != UNKNOWN or not node.args:
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
    dtype = _result_dtype(op, tensors, [kind for kind in kinds if isinstance(kind, Number)]) if tensors else FLOAT
    if not tensors and not flow:
        if any(map(says_nothing, kinds)):
            analysis.note_unknown(frame, node, f"{op.name}()")
            return UNKNOWN
        return Tensor(False)
    if flow and dtype != INTEGER and op.result is not Result.INTEGER:
        scalar = len(kinds) > 1 and isinstance(kinds[1], Number) and bool(op.operators)
        analysis.note_op(frame, node, op, spelling, form, scalar=scalar)
        if spelling.is_inplace and form == "method" and isinstance(kinds[0], Tensor) and not kinds[0].flow:
            _taint(analysis, frame, node)
    return _compute_result(op, len(kinds), Tensor(flow, dtype))


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
    dtype = _result_dtype(op, tensors, [kind for kind in kinds if isinstance(kind, Number)])
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
    """sum, abs, min, max and pow of Python, on tensors or numbers."""
    if not arguments.flows:
        return join_all(map(iterate, arguments.args)) if name in ("min", "max") and len(arguments.args) == 1 else NUMBER
    row = analysis.catalogue.function(f"builtins.{name}")
    if row is None:
        return join_all([arg if tensor_of(arg) else iterate(arg) for arg in arguments.args])
    tensor = _first_tensor(arguments.args[0]) if arguments.args else None
    if tensor is not None and tensor.dtype == INTEGER:
        return tensor
    if all(_first_tensor(arg) is None for arg in arguments.args):
        analysis.note_unknown(frame, node, f"{name}()")
        return PART
    analysis.note_op(frame, node, row[0], row[1], "builtin")
    return Tensor(True)


def higher_order(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """map, filter and functools.reduce: the callable runs once for each item."""
    callee, loop = arguments.args[0], analysis.next_loop()
    items = [iterate(arg, loop) for arg in arguments.args[1:]]
    if name == "functools.reduce":
        items = [join_all([items[0], *arguments.args[2:]]) if len(arguments.args) > 2 else items[0], items[0]]
    row = analysis.catalogue.function(callee.name) if isinstance(callee, External) else None
    outer, frame.counts = frame.counts, Counts()
    frame.loops.append(loop)
    frame.earlier.append(outer)
    if row is not None and row[0].cls is OpClass.COMPUTE and any(map(flows, items)):
        analysis.note_op(frame, node.args[0], row[0], row[1], "value")
        result: Kind = Tensor(True)
    else:
        result = analysis.call_kind(frame, node, callee, Arguments(items))
    frame.loops.pop()
    frame.earlier.pop()
    repeated = frame.counts.repeated(loop)
    frame.counts = outer
    frame.counts.add_all(repeated)
    return result if name == "functools.reduce" else Sequence(result if name == "map" else items[0])
