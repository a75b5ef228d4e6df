"""QP103: operations of torch without a module in torch.nn."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid, help_for, unowned
from qprep.foundation.catalogue.op import RuleFamily
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP103",
    "tensor-function",
    "A function of torch on tensors, such as `torch.cat` or `torch.matmul`",
    "Joins, products and reductions called as functions have no module: a quantizer neither observes their result nor "
    "aligns the scales of their inputs. `torch.cat` on integer tensors silently takes its first input's scale.",
)
VALID = (
    """
import torch
from torch import nn

class Positions(nn.Module):
    def forward(self, x):
        return x, torch.cat([torch.arange(3), torch.arange(4)])
""",
)
INVALID = (
    Invalid(
        """
import torch
from torch import nn

class Join(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return torch.cat([self.a(x), x], dim=1)
""",
        ("torch.cat([self.a(x), x], dim=1)",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Calls of functions of the operator family."""
    for site in unowned(facts):
        if site.form == "function" and site.op.family is RuleFamily.OPERATOR and site.spelling is not None:
            message = f"`{site.spelling.qualified}` on tensors is invisible to a module-level quantizer"
            yield Hit(site.place, message, help_for(site), site)
