"""Python operators: which are arithmetic on activations, and their results."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing
from qprep.analysis.interpreter import instances
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
    Kind,
    Number,
    Plain,
    Sequence,
    Tensor,
    Word,
    flows,
    is_plain,
    join_all,
    options,
    says_nothing,
    tensor_of,
)
from qprep.foundation.catalogue.integers import KEEPS_INTEGERS
from qprep.foundation.catalogue.op import OpClass

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis
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
    analysis.note_op(frame, node, op, None, "unary", is_loss=tensor.is_loss)
    return Tensor(tensor.flow, tensor.dtype, is_loss=tensor.is_loss)


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
    dtype = result_dtype(op, tensors, [other] if len(tensors) == 1 else [])
    is_loss = any(tensor.is_loss for tensor in tensors)
    if op is not None and op.cls is OpClass.COMPUTE and flow and dtype != INTEGER:
        analysis.note_op(frame, node, op, None, form, scalar=isinstance(other, Number), is_loss=is_loss)
        if isinstance(left, Number) and (site := analysis.facts.ops.get(frame.place(node))) is not None:
            site.number_first = True
    return Tensor(flow, dtype, is_loss=is_loss)


def result_dtype(op: Op | None, tensors: list[Tensor], others: list[Kind]) -> str:
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
