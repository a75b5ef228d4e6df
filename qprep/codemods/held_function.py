"""Functions held as activations become modules where they are stored."""

from __future__ import annotations

from qprep.analysis.facts import HeldFunction
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.reused_instances import hold_module

REWRITES = (
    (
        """\
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = F.gelu

    def forward(self, x):
        return self.act(self.fc(x))
""",
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.GELU()

    def forward(self, x):
        return self.act(self.fc(x))
""",
    ),
)


def rewrite(scope: Scope, site: HeldFunction) -> Outcome:
    """`self.act = F.gelu` → `self.act = nn.GELU()`."""
    return hold_module(scope, site)
