"""Computing methods of tensors become modules that take the tensor."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.call_sites import invocation


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`x.mean((2, 3))` → `self.mean(x)`."""
    return invocation(scope, site)
