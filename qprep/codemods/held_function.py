"""Functions held as activations become modules where they are stored."""

from __future__ import annotations

from qprep.analysis.facts import HeldFunction
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.reused_instances import hold_module


def rewrite(scope: Scope, site: HeldFunction) -> Outcome:
    """`self.act = F.gelu` → `self.act = nn.GELU()`."""
    return hold_module(scope, site)
