"""The second place of one stateless instance gets an instance of its own."""

from __future__ import annotations

from qprep.analysis.facts import ModuleCall, Sharing
from qprep.codemods.base import Outcome
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.shared_instances import separate_common_call, separate_instance

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


def rewrite(scope: Scope, site: Sharing | ModuleCall) -> Outcome:
    """The second `act` → `another(act)`; a call of what all share → one of an instance of self."""
    if isinstance(site, ModuleCall):
        return separate_common_call(scope, site)
    return separate_instance(scope, site)
