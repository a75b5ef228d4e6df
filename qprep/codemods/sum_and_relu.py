"""A sum and its ReLU become one call."""

from __future__ import annotations

import ast

from qprep.analysis.eager.eager_facts import SumAndRelu
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope

APPLICABILITY = Applicability.UNSAFE  # hooks on the ReLU no longer run


def rewrite(scope: Scope, site: SumAndRelu) -> Outcome:
    """`self.relu(self.add.add(x, y))` → `self.add.add_relu(x, y)`."""
    code, relu, total = scope.code, scope.call(), scope.code.node(site.total)
    if not isinstance(total, ast.Call) or not isinstance(total.func, ast.Attribute):
        return Rejection("the sum is not written as a call", RejectionCode.CALL_FORM)
    statement = code.statement(relu)
    name_end = code.span(total.func)[1]
    renamed = Piece(name_end - len(total.func.attr), name_end, "add_relu")
    (start, end), (inner_start, inner_end) = code.span(relu), code.span(relu.args[0])
    if "#" in code.text[start:inner_start] + code.text[inner_end:end]:
        return Rejection("a comment is between the two", RejectionCode.LAYOUT)
    scope.message = "use `add_relu`"
    if isinstance(statement, ast.Assign) and statement.value is relu and relu.args[0] is not total:
        if not code.is_alone_on_line(statement) or "#" in code.source.line(statement.lineno):
            return Rejection("the ReLU shares its line with other code", RejectionCode.LAYOUT)
        first = code.source.starts[statement.lineno - 1]
        return (renamed, Piece(first, code.next_line(statement.end_lineno or statement.lineno), ""))
    return (renamed, Piece(start, inner_start, ""), Piece(inner_end, end, ""))
