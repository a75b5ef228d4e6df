"""Functional layers become modules with slots for input, weight and bias; the parameters stay where they are."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.call_sites import invocation


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`F.linear(x, w)` → `self.linear(x, w)`."""
    return invocation(scope, site)
