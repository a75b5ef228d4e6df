"""A FloatFunctional made inside forward moves to `__init__`."""

from __future__ import annotations

from qprep.analysis.eager.eager_facts import InlineFunctional
from qprep.codemods.base import Outcome
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL, FUNCTIONAL_HOME
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope


def rewrite(scope: Scope, site: InlineFunctional) -> Outcome:
    """`FloatFunctional().add(x, y)` → `self.add.add(x, y)`."""
    if site.loops:
        return Rejection(
            "it is created in a loop: each iteration would need its own FloatFunctional", RejectionCode.NO_MODULE
        )
    if not site.method:
        return Rejection("it is stored under a name: its operations are unknown", RejectionCode.RUN_ONLY)
    name = scope.declare(site.method, f"{scope.imported(FUNCTIONAL_HOME, FUNCTIONAL)}()")
    node = scope.call()
    start, end = scope.code.span(node)
    return (Piece(start, end, name),)
