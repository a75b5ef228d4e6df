"""Operations without a quantized kernel, in models for torch's eager quantization: float between two stubs.

On floats a stub gives back what it is given; `convert` makes it quantize, or give back floats.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from qprep.foundation.catalogue.torch_ao import QUANTIZED_KERNELS, STUBS_HOME
from qprep.rewriting.composed_edits import Piece, closing, opening
from qprep.rewriting.module_call import missing

if TYPE_CHECKING:
    from qprep.analysis.facts import OpSite
    from qprep.foundation.findings import Rejection
    from qprep.rewriting.fix_scope import Scope

_TENSORS: Final = frozenset(("input", "other", "exponent"))  # parameters that take tensors, or numbers


def without_module(scope: Scope, site: OpSite) -> tuple[Piece, ...] | Rejection:
    """An operation for which the target has no module: between stubs where that helps, else the reason."""
    node = scope.node
    operands = _operands(site, node) if isinstance(node, ast.expr) else None
    inside = site.unit.is_class and site.place not in scope.context.facts.eager.outside
    runs_anyway = not scope.target.is_eager or site.op.name in QUANTIZED_KERNELS
    if runs_anyway or not inside or site.count > 1 or not operands or not isinstance(node, ast.expr):
        return missing(scope, site.op)
    quant = scope.declare("quant", f"{scope.imported(STUBS_HOME, 'QuantStub')}()")
    dequant = scope.declare("dequant", f"{scope.imported(STUBS_HOME, 'DeQuantStub')}()")
    pieces: list[Piece] = []
    for part, stub, layer in ((node, quant, 1), *((operand, dequant, 2) for operand in operands)):
        start, end = scope.code.span(part)
        extent = end - start  # the layer is around what other rewrites put there, an operation inside this one too
        pieces += [opening(start, f"{stub}(", extent, layer), closing(end, ")", extent, layer)]
    scope.message = f"compute `{site.op.name}` on floats, between a DeQuantStub and a QuantStub"
    return tuple(pieces)


def _operands(site: OpSite, node: ast.expr) -> list[ast.expr] | None:
    """The expressions for the tensors that an operation takes; None if that is not known."""
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.BinOp):
        if site.scalar:
            return [node.right if site.number_first else node.left]
        return [part for part in (node.left, node.right) if not isinstance(part, ast.Constant)]
    if not isinstance(node, ast.Call) or site.spelling is None or site.form not in ("function", "method"):
        return None
    return _of_call(site, node)


def _of_call(site: OpSite, node: ast.Call) -> list[ast.expr] | None:
    assert site.spelling is not None
    parameters = list(site.spelling.parameters)
    operands: list[ast.expr] = []
    if site.form == "method":
        if not isinstance(node.func, ast.Attribute) or not site.spelling.is_method:
            return None
        operands.append(node.func.value)
        parameters = parameters[1:]
    if len(node.args) > len(parameters) or any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    given = [(parameter.name, value) for parameter, value in zip(parameters, node.args, strict=False)]
    given += [(keyword.arg or "", keyword.value) for keyword in node.keywords]
    for name, value in given:
        is_number = isinstance(value, ast.Constant | ast.UnaryOp | ast.Tuple | ast.List)
        if name in _TENSORS and not is_number and not (site.scalar and operands):
            operands.append(value)
        elif not is_number:
            return None
    return operands
