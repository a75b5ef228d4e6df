"""The second place of one stateless instance gets an instance of its own."""

from __future__ import annotations

from qprep.codemods.base import Outcome
from qprep.project.facts import Sharing
from qprep.rewrite.instances import separate_instance
from qprep.rewrite.scope import Scope

REWRITES = (
    (
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.ReLU()
        self.net = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)

    def forward(self, x):
        return self.net(x)
""",
        """\
from torch import nn
from qprep.runtime_modules import another


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.ReLU()
        self.net = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), another(act))

    def forward(self, x):
        return self.net(x)
""",
    ),
)


def rewrite(scope: Scope, site: Sharing) -> Outcome:
    """The second `act` → `another(act)`."""
    return separate_instance(scope, site)
