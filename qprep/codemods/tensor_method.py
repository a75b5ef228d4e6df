"""Computing methods of tensors become modules that take the tensor."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.call_sites import invocation

REWRITES = (
    (
        """\
from torch import nn


class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))
""",
        """\
from torch import nn
from qprep.runtime_modules import Mean


class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.mean = Mean(dim=(2, 3))

    def forward(self, x):
        return self.fc(self.mean(x))
""",
    ),
)


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`x.mean((2, 3))` → `self.mean(x)`."""
    return invocation(scope, site)
