"""A name in a fuse list becomes the one that is meant, where there is only one."""

from __future__ import annotations

from qprep.analysis.eager.eager_facts import FusedName
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.fstrings import string_piece

APPLICABILITY = Applicability.UNSAFE


def rewrite(scope: Scope, site: FusedName) -> Outcome:
    """`"conv2d"` → `"conv"`."""
    if len(site.close) != 1:
        return Rejection("the submodule is not known", RejectionCode.RUN_ONLY)
    scope.message = f"name `{site.close[0]}`"
    return string_piece(scope, site.close[0])
