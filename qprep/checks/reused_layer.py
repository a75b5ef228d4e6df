"""QP202: a module with parameters that runs more than once."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP202",
    "reused-layer",
    "One module with parameters runs more than once in a forward pass",
    "Each operation needs its own range, but the weights must stay shared through training, saving and loading. In "
    "a measurement, one Linear that was called twice with one set of ranges lost 36 dB.",
)
VALID = (
    """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(self.fc(x))
""",
        ("self.fc(self.fc(x))",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Calls, after the first or in loops, of modules that have or may have parameters."""
    for call in facts.calls.values():
        if call.runs_again and call.has_state:
            how = "a second time" if call.again else "more than once from this place"
            message = f"`self.{call.path}` has or may have parameters and runs {how} in one forward pass"
            yield Hit(call.place, message, "give each place its own instance that shares the weights", call)
