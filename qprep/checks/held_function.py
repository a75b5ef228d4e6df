"""QP303: functions held as activations."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP303",
    "held-function",
    "A function stored as an activation, such as `self.act = F.gelu`",
    "An attribute that holds a function is called like a module, but it is not one. A quantizer that iterates over "
    "the modules does not find it.",
)
VALID = (
    """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.GELU()

    def forward(self, x):
        return self.act(x)
""",
)
INVALID = (
    Invalid(
        """\
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = F.gelu

    def forward(self, x):
        return self.act(self.fc(x))
""",
        ("F.gelu",),
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.GELU()

    def forward(self, x):
        return self.act(self.fc(x))
""",
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Attributes that hold functions which forward calls on activations."""
    for held in facts.held.values():
        shown = f"`{held.name}`" if held.name != "?" else "a function"
        message = f"`self.{held.attribute}` holds {shown}, which is not a module"
        yield Hit(held.place, message, "hold a module instead", held)
