"""A convolution and its BatchNorm get a list of their own in addition to those that the class fuses."""

from __future__ import annotations

import ast

from qprep.analysis.eager.eager_facts import UnfusedPair
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope

APPLICABILITY = Applicability.UNSAFE


def rewrite(scope: Scope, site: UnfusedPair) -> Outcome:
    """`[["conv1", "bn1"]]` → `[["conv1", "bn1"], ["conv2", "bn2"]]`."""
    node = scope.code.node(site.fuse_list) if site.fuse_list is not None else None
    if not isinstance(node, ast.List):
        return Rejection("there is no list of lists to add it to", RejectionCode.CALL_FORM)
    last = scope.code.span(node.elts[-1])[1]
    first, second = site.names
    scope.message = f"fuse `{first}` and `{second}`"
    return (Piece(last, last, f', ["{first}", "{second}"]'),)
