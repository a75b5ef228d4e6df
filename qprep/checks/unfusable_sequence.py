"""QP508: a fuse list whose modules cannot be fused."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP508",
    "unfusable-sequence",
    "A fuse list has an activation or an order of modules that cannot be fused",
    "`fuse_modules` fuses a convolution or linear layer with BatchNorm, with nn.ReLU, or with both in this order. "
    "Any other activation stays a separate module.",
)
VALID = (
    """
from torch import nn
from torch.ao.quantization import fuse_modules

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))

    def fuse_model(self):
        fuse_modules(self, [["conv", "bn", "relu"]], inplace=True)
""",
)
INVALID = (
    Invalid(
        """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU6()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))

    def fuse_model(self):
        fuse_modules(self, [["conv", "bn", "relu"]], inplace=True)
""",
        ('"relu"',),
        """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU6()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))

    def fuse_model(self):
        fuse_modules(self, [["conv", "bn"]], inplace=True)
""",
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """The first member that fits no sequence."""
    for fact in facts.eager.wrong.values():
        shown = ", ".join(f"nn.{name}" for name in fact.classes)
        message = f"`{fact.name}` cannot be fused: `fuse_modules` does not support {shown}"
        yield Hit(fact.place, message, "leave it out of the list" if fact.droppable else "list what fuses only", fact)
