"""Every operation gets a FloatFunctional of its own."""

from __future__ import annotations

import ast

from qprep.analysis.eager.eager_facts import SharedFunctional
from qprep.codemods.base import Outcome
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL, FUNCTIONAL_HOME
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope


def rewrite(scope: Scope, site: SharedFunctional) -> Outcome:
    """The second `self.add.add(x, y)` → `self.add_1.add(x, y)`."""
    if site.loops:
        return Rejection(
            "it runs in a loop: each iteration would need its own FloatFunctional", RejectionCode.NO_MODULE
        )
    node = scope.call()
    if not isinstance(node.func, ast.Attribute):
        return Rejection("it is called under another name", RejectionCode.CALL_FORM)
    name = scope.declare(site.method, f"{scope.imported(FUNCTIONAL_HOME, FUNCTIONAL)}()")
    return (Piece(*scope.code.span(node.func.value), name),)
