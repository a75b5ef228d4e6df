"""A layer that runs again gets a second instance that shares the weights and adds nothing to state_dict."""

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
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x = self.fc(x)
        return self.fc(x)
""",
        """\
from qprep.runtime_modules import another
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.fc_1 = another(self.fc)

    def forward(self, x):
        x = self.fc(x)
        return self.fc_1(x)
""",
    ),
)


def rewrite(scope: Scope, site: ModuleCall) -> Outcome:
    """The second `self.fc(x)` → `self.fc_1(x)` with `self.fc_1 = another(self.fc)`."""
    return separate_call(scope, site)
