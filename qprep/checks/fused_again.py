"""QP503: a module in two fuse lists, or in one though it runs more than once."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP503",
    "fused-again",
    "A module is in two fuse lists, or in one although it runs more than once",
    "Fusing replaces all modules of a list except the first by nn.Identity. A second list that names one of them "
    "cannot be fused, and another call of it silently does nothing.",
)
VALID = (
    """
from torch import nn
from torch.ao.quantization import fuse_modules

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu2(x)

    def fuse_model(self):
        fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"]], inplace=True)
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
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu2(x)

    def fuse_model(self):
        fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu1"]], inplace=True)
""",
        ('"relu1"',),
        """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu2(x)

    def fuse_model(self):
        fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"]], inplace=True)
""",
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Members of fuse lists that something else needs, too."""
    for fact in facts.eager.again.values():
        if fact.runs:
            message = f"`{fact.name}` is fused into another module here, but forward runs it more than once"
        else:
            message = f"`{fact.name}` is fused into another module by an earlier list of this call"
        remedy = f"name `{fact.meant}`, which forward calls here" if fact.meant else "give each list its own module"
        yield Hit(fact.place, message, remedy, fact)
