"""QP302: functional layers that take their weights as arguments."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid, help_for, unowned
from qprep.foundation.catalogue.op import RuleFamily
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP302",
    "functional-weights",
    "A functional layer on weights that are passed in, such as `F.linear(x, self.weight)`",
    "The weights may be computed, shared or sliced, so the layer cannot become `nn.Linear`. A module that takes "
    "input, weight and bias makes the operation visible and leaves the parameters in place.",
)
VALID = (
    """
import torch.nn.functional as F
from torch import nn

class Conv(nn.Conv2d):  # one operation, no children: a dedicated module already
    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias)
""",
)
INVALID = (
    Invalid(
        """\
import torch
import torch.nn.functional as F
from torch import nn


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))
        self.act = nn.ReLU()

    def forward(self, x):
        return F.linear(self.act(x), self.weight.t())
""",
        ("F.linear(self.act(x), self.weight.t())",),
        """\
import torch
from qprep.runtime_modules import AffineMap
from torch import nn


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))
        self.act = nn.ReLU()
        self.linear = AffineMap()

    def forward(self, x):
        return self.linear(self.act(x), self.weight.t())
""",
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Calls of the functional family that take weights."""
    for site in unowned(facts):
        if site.form in ("function", "method") and site.op.family is RuleFamily.FUNCTIONAL and site.op.weights:
            name = site.spelling.qualified if site.spelling is not None else site.op.name
            message = f"`{name}` runs a layer outside of any module"
            yield Hit(site.place, message, help_for(site), site)
