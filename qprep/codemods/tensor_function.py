"""Functions of torch become modules of qprep.runtime_modules; literal settings go to the constructor."""

from __future__ import annotations

from qprep.analysis.facts import OpSite
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.call_sites import invocation

REWRITES = (
    (
        """\
import torch
from torch import nn


class Join(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x, dim: int = 1):
        skip = torch.cat([self.a(x), x], axis=1)
        return torch.cat(tensors=[skip, x], dim=dim)
""",
        """\
from qprep.runtime_modules import Concat
from torch import nn


class Join(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.cat = Concat(dim=1)
        self.cat_1 = Concat()

    def forward(self, x, dim: int = 1):
        skip = self.cat([self.a(x), x])
        return self.cat_1(tensors=[skip, x], dim=dim)
""",
    ),
)


def rewrite(scope: Scope, site: OpSite) -> Outcome:
    """`torch.cat(ts, 1)` → `self.cat(ts)`."""
    return invocation(scope, site)
