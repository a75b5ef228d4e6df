"""An activation that cannot be fused leaves the fuse list."""

from __future__ import annotations

import ast

from qprep.analysis.eager.eager_facts import FusedWrongly
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope

APPLICABILITY = Applicability.UNSAFE


def rewrite(scope: Scope, site: FusedWrongly) -> Outcome:
    """`["conv", "bn", "silu"]` → `["conv", "bn"]`."""
    listed = scope.code.parents.get(scope.node)
    if not site.droppable or not isinstance(listed, ast.List | ast.Tuple) or len(listed.elts) < 3:
        return Rejection("the rest of the list cannot be fused either", RejectionCode.CALL_FORM)
    start, end = scope.code.span(listed.elts[-2])[1], scope.code.span(listed.elts[-1])[1]
    if "#" in scope.code.text[start:end]:
        return Rejection("a comment is between the names", RejectionCode.LAYOUT)
    scope.message = f"leave `{site.name}` out"
    return (Piece(start, end, ""),)
