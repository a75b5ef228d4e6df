"""Functional calls become the torch.nn module that computes the same, or one that takes its settings at call time."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.call_sites import invocation

REWRITES = (
    (
        """\
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x = F.relu(self.fc(x), inplace=True)
        return F.dropout(x.softmax(-1), 0.5, self.training)
""",
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(p=0.5)
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x):
        x = self.relu(self.fc(x))
        return self.dropout(self.softmax(x))
""",
    ),
)


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`F.relu(x)` → `self.relu(x)` with `self.relu = nn.ReLU()`."""
    return invocation(scope, site)
