"""QP106: calls of functions that TorchScript compiles."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule, Severity

RULE = Rule(
    "QP106",
    "scripted-call",
    "A call of a function under torch.jit.script, whose operations are one to everything outside",
    "TorchScript compiles the function as it stands, so nothing inside it can become a module. In a module of its own "
    "the call is one operation that a quantizer can observe; elsewhere it is invisible. This is for information and "
    "makes no check fail.",
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
        message = f"`{call.name}` is compiled by TorchScript: its operations are one to a quantizer"
        yield Hit(call.place, message, "drop the decorator, or keep the call in a module of its own", call)
