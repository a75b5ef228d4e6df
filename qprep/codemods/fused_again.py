"""A module that another list has fused away becomes the one that forward calls there."""

from __future__ import annotations

from qprep.analysis.eager.eager_facts import FusedAgain
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.fstrings import string_piece

APPLICABILITY = Applicability.UNSAFE


def rewrite(scope: Scope, site: FusedAgain) -> Outcome:
    """The second `"relu1"` → `"relu2"`, where forward calls that behind the BatchNorm before it."""
    if site.meant is None:
        return Rejection("forward has no other module in this place", RejectionCode.CALL_FORM)
    scope.message = f"name `{site.meant}`"
    return string_piece(scope, site.meant)
