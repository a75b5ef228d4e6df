"""`torch.cat` on quantized tensors becomes a FloatFunctional of its own."""

from __future__ import annotations

import ast

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL, FUNCTIONAL_HOME
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`torch.cat([x, y], dim=1)` → `self.cat.cat([x, y], dim=1)`."""
    node = scope.call()
    if len(node.args) not in (1, 2) or any(isinstance(arg, ast.Starred) for arg in node.args):
        return Rejection("the tensors are not given by position", RejectionCode.CALL_FORM)
    if any(keyword.arg != "dim" for keyword in node.keywords):
        return Rejection("`FloatFunctional.cat` takes only the tensors and `dim`", RejectionCode.CALL_FORM)
    many = site.count > 1
    if many and not (scope.target.is_own or scope.target.is_eager):
        return Rejection("it runs more than once: each run would need its own FloatFunctional", RejectionCode.NO_MODULE)
    name = scope.declare("cat", f"{scope.imported(FUNCTIONAL_HOME, FUNCTIONAL)}()", many=many)
    return (Piece(*scope.code.span(node.func), f"{name}.next().cat" if many else f"{name}.cat"),)
