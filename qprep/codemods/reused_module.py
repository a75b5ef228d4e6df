"""A stateless module that runs again gets a second instance next to the first."""

from __future__ import annotations

from qprep.analysis.facts import ModuleCall
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.reused_instances import separate_call

REWRITES = (
    (
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 1)
        self.conv2 = nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        return self.relu(self.conv2(x))
""",
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 1)
        self.conv2 = nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU(inplace=True)
        self.relu_1 = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        return self.relu_1(self.conv2(x))
""",
    ),
)


def rewrite(scope: Scope, site: ModuleCall) -> Outcome:
    """The second `self.relu(x)` → `self.relu_1(x)`."""
    return separate_call(scope, site)
