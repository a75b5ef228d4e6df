"""Operators on tensors become modules of qprep.runtime_modules."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.operators import operator

REWRITES = (
    (
        """\
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        identity = x
        out = self.conv(x)
        out += identity
        return -(out @ x)
""",
        """\
from qprep.runtime_modules import EltwiseAdd, MatMul, Neg
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.add = EltwiseAdd(inplace=True)
        self.neg = Neg()
        self.matmul = MatMul()

    def forward(self, x):
        identity = x
        out = self.conv(x)
        out = self.add(out, identity)
        return self.neg(self.matmul(out, x))
""",
    ),
)


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`a + b` → `self.add(a, b)`."""
    return operator(scope, site)
