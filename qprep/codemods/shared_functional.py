"""Every operation gets a FloatFunctional of its own."""

from __future__ import annotations

import ast

from qprep.analysis.eager.eager_facts import SharedFunctional
from qprep.codemods.base import Outcome
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL, FUNCTIONAL_HOME
from qprep.foundation.findings import Unfixable
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope


def rewrite(scope: Scope, site: SharedFunctional) -> Outcome:
    """The second `self.add.add(x, y)` → `self.add_1.add(x, y)`."""
    if site.loops:
        return Unfixable("it runs in a loop: each iteration would need its own FloatFunctional")
    node = scope.call()
    if not isinstance(node.func, ast.Attribute):
        return Unfixable("it is called under another name")
    name = scope.declare(site.method, f"{scope.imported(FUNCTIONAL_HOME, FUNCTIONAL)}()")
    return (Piece(*scope.code.span(node.func.value), name),)
