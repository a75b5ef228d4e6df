"""The second place of one stateless instance gets an instance of its own."""

from __future__ import annotations

from qprep.analysis.facts import ModuleCall, Sharing
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.shared_instances import separate_common_call, separate_instance


def rewrite(scope: Scope, site: Sharing | ModuleCall) -> Outcome:
    """The second `act` → `another(act)`; a call of what all share → one of an instance of self."""
    if isinstance(site, ModuleCall):
        return separate_common_call(scope, site)
    return separate_instance(scope, site)
