"""Python's functions on tensors become modules."""

from __future__ import annotations

import ast

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.foundation.catalogue.call_signature import parse_constructor
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.callees import dotted_name
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.module_call import declare
from qprep.rewriting.transforms.call_sites import invocation
from qprep.rewriting.transforms.module_targets import Argument, nn_target

Pieces = tuple[Piece, ...]

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
    partial = _partial_around(scope)
    if partial is not None and (pieces := _as_layer(scope, site, partial)) is not None:
        return pieces
    if site.op.module is None or (site.spelling is not None and site.spelling.is_inplace):
        return Rejection(f"there is no module for `{site.op.name}` here", RejectionCode.NO_MODULE)
    if site.op.dedicated is not None or not _takes_keywords(scope, site, partial):
        return Rejection(
            "a function that is passed on needs a module with the same parameters", RejectionCode.CALL_FORM
        )
    name = scope.declare(site.op.name, f"{scope.runtime(parse_constructor(site.op.module).name)}()", many=True)
    start, end = scope.code.span(scope.node)  # type: ignore[arg-type]
    return (Piece(start, end, name),)


def _partial_around(scope: Scope) -> ast.Call | None:
    """The call `partial(function, …)` whose function is passed on."""
    around = scope.code.parents[scope.node]
    is_first = isinstance(around, ast.Call) and scope.node in around.args[:1]
    if not is_first or not isinstance(around, ast.Call):
        return None
    return around if dotted_name(scope, around.func) == "functools.partial" else None


def _as_layer(scope: Scope, site: OpSite, partial: ast.Call) -> Pieces | None:
    """`partial(F.softmax, dim=1)` → `nn.Softmax(dim=1)`: a class of torch.nn takes all that is bound."""
    if len(partial.args) != 1 or site.spelling is None or any(each.arg is None for each in partial.keywords):
        return None
    given = [Argument(site.spelling.parameters[0].name, partial.args[0])]
    given += [Argument(keyword.arg or "", keyword.value, keyword) for keyword in partial.keywords]
    target = nn_target(scope, site, given)
    if target is None or not target.moved | target.dropped >= {keyword.arg for keyword in partial.keywords}:
        return None
    name = declare(scope, site.op, target.constructor, many=True)
    return (Piece(*scope.code.span(partial), name),) if isinstance(name, str) else None


def _takes_keywords(scope: Scope, site: OpSite, partial: ast.Call | None) -> bool:
    """True if the parameters of the module have the names that a partial binds."""
    first = scope.context.analysis.catalogue.spellings(site.op)[0]
    known = {parameter.name for parameter in first.parameters}
    return partial is None or all(keyword.arg in known for keyword in partial.keywords)
