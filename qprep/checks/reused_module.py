"""QP201: a module without parameters that runs more than once."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts, ModuleCall
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP201",
    "reused-module",
    "One module instance runs more than once in a forward pass",
    "A quantizer keeps one set of ranges for each module. One ReLU that runs three times gets one range for three "
    "different tensors, and fusing it into one neighbour removes it from the others.",
)
VALID = (
    """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x, flag: bool = False):
        if flag:
            return self.relu(x)
        return self.relu(x.flatten(1))
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 1)
        self.conv2 = nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        return self.relu(self.conv2(x))
""",
        ("self.relu(self.conv2(x))",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Calls of stateless modules after the first, or in loops."""
    for call in facts.calls.values():
        if call.runs_again and not call.has_state:
            yield Hit(call.place, reuse_message(call), "give each place its own instance", call)


def reuse_message(call: ModuleCall) -> str:
    """The message: the instance that runs again, and how."""
    if call.again:
        return f"`self.{call.path}` runs a second time in one forward pass"
    return f"`self.{call.path}` runs more than once from this place in one forward pass"
