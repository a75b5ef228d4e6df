"""QP106: calls of functions that TorchScript compiles."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule, Severity

RULE = Rule(
    "QP106",
    "scripted-call",
    "A call of a function under torch.jit.script, which appears as a single operation",
    "TorchScript compiles the function as it is, so nothing inside it can become a module. If the call is in its "
    "own module, a quantizer can observe it as one operation; otherwise it is invisible. This finding is "
    "informational and does not change the exit code.",
    Severity.INFO,
    fixable=False,
)
VALID = (
    """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x)
""",
)
INVALID = (
    Invalid(
        """
import torch
from torch import nn

@torch.jit.script
def snake(x, alpha):
    return x + torch.sin(alpha * x)

class Snake(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return snake(x, self.alpha)
""",
        ("snake(x, self.alpha)",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Calls of scripted functions on activations."""
    for call in facts.scripted.values():
        message = f"`{call.name}` is compiled by TorchScript: a quantizer sees its operations as one"
        yield Hit(call.place, message, "remove the decorator, or put the call into its own module", call)
