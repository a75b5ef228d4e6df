"""A model that is to be quantized eagerly gets its stubs."""

from __future__ import annotations

import ast

from qprep.analysis.eager.eager_facts import UnstubbedModel
from qprep.analysis.symbols.ast_utils import returned_values
from qprep.codemods.base import Outcome
from qprep.foundation.catalogue.torch_ao import STUBS_HOME
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece, closing, opening
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.insertion_points import first_statement

OUTERMOST = 3  # around what other rewrites put there, the stubs of an operation too


def rewrite(scope: Scope, site: UnstubbedModel) -> Outcome:
    """`x = self.quant(x)` at the start of forward, `return self.dequant(…)` at its ends."""
    if site.parameter is None:
        return Rejection(
            "forward does not take and return single tensors: call a QuantStub on each input "
            "and a DeQuantStub on each output",
            RejectionCode.CALL_FORM,
        )
    forward = scope.method("forward")
    first = first_statement(forward) if forward is not None else None
    if forward is None or first is None or not scope.code.is_alone_on_line(first) or first.lineno == forward.lineno:
        return Rejection("forward shares its lines with other code", RejectionCode.LAYOUT)
    returns = returned_values(forward)
    if not returns or not isinstance(forward.body[-1], ast.Return):
        return Rejection("forward does not end with a return", RejectionCode.CALL_FORM)
    quant = scope.declare("quant", f"{scope.imported(STUBS_HOME, 'QuantStub')}()")
    dequant = scope.declare("dequant", f"{scope.imported(STUBS_HOME, 'DeQuantStub')}()")
    code = scope.code
    start = code.source.starts[first.lineno - 1]
    many, _, _ = site.parameter.partition("[")
    whole = f"({quant}({site.parameter}), *{many}[1:])" if many != site.parameter else f"{quant}({site.parameter})"
    line = f"{code.indent_of(first)}{many} = {whole}{code.newline}"
    pieces = [Piece(start, start, line)]
    for value in (part for each in returns for part in _parts(each)):
        begin, end = code.span(value)
        extent = end - begin
        pieces += [opening(begin, f"{dequant}(", extent, OUTERMOST), closing(end, ")", extent, OUTERMOST)]
    scope.message = "add a QuantStub and a DeQuantStub"
    return tuple(pieces)


def _parts(value: ast.expr) -> list[ast.expr]:
    """The tensors that a return gives."""
    return value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
