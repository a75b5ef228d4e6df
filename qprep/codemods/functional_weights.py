"""Functional layers become modules with slots for input, weight and bias; the parameters stay where they are."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.call_sites import invocation

REWRITES = (
    (
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
        """\
import torch
from torch import nn
from qprep.runtime_modules import AffineMap


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


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`F.linear(x, w)` → `self.linear(x, w)`."""
    return invocation(scope, site)
