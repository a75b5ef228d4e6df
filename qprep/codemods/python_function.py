"""Python's functions on tensors become modules."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.foundation.catalogue.call_signature import parse_constructor
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.call_sites import invocation

REWRITES = (
    (
        """\
from torch import nn


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)

    def forward(self, x):
        return sum([self.a(x), self.b(x)])
""",
        """\
from qprep.runtime_modules import SumList
from torch import nn


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.sum_list = SumList()

    def forward(self, x):
        return self.sum_list([self.a(x), self.b(x)])
""",
    ),
)


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`sum(xs)` → `self.sum_list(xs)`; a function passed to `map` is replaced by a module."""
    if site.form == "builtin":
        return invocation(scope, site)
    if site.op.module is None or (site.spelling is not None and site.spelling.is_inplace):
        return Rejection(f"there is no module for `{site.op.name}` here", RejectionCode.NO_MODULE)
    if site.op.dedicated is not None:
        return Rejection(
            "a function that is passed on needs a module with the same parameters", RejectionCode.CALL_FORM
        )
    name = scope.declare(site.op.name, f"{scope.runtime(parse_constructor(site.op.module).name)}()", many=True)
    start, end = scope.code.span(scope.node)  # type: ignore[arg-type]
    return (Piece(start, end, name),)
