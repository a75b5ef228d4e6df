"""Operators between a tensor and a number become modules that take both."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.operators import operator

REWRITES = (
    (
        """\
from torch import nn


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return 1 - self.fc(x) * 2
""",
        """\
from qprep.runtime_modules import EltwiseMul, EltwiseSub
from torch import nn


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.sub = EltwiseSub()
        self.mul = EltwiseMul()

    def forward(self, x):
        return self.sub(1, self.mul(self.fc(x), 2))
""",
    ),
)


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`1 - x` → `self.sub(1, x)`."""
    return operator(scope, site)
