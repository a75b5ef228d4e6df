"""QP505: one FloatFunctional for several operations."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP505",
    "shared-functional",
    "A FloatFunctional that several operations use",
    "A FloatFunctional observes the outputs of one operation and has one scale. If two operations use it, the scale"
    " fits neither.",
)
VALID = (
    """
from torch import nn
from torch.ao.nn.quantized import FloatFunctional

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.add = FloatFunctional()
        self.mul = FloatFunctional()

    def forward(self, x):
        y = self.add.add(self.conv(x), x)
        return self.mul.mul(y, x)
""",
)
INVALID = (
    Invalid(
        """\
from torch import nn
from torch.ao.nn.quantized import FloatFunctional


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.add = FloatFunctional()

    def forward(self, x):
        y = self.add.add(self.conv(x), x)
        return self.add.mul(y, x)
""",
        ("self.add.mul(y, x)",),
        """\
from torch import nn
from torch.ao.nn.quantized import FloatFunctional


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.add = FloatFunctional()
        self.mul = FloatFunctional()

    def forward(self, x):
        y = self.add.add(self.conv(x), x)
        return self.mul.mul(y, x)
""",
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """The second use and every later one, and uses in a loop."""
    for fact in facts.eager.shared.values():
        how = "by every iteration of a loop" if fact.loops else "by a second operation"
        message = f"the FloatFunctional `self.{fact.attribute}` is used {how}, with one scale for all"
        yield Hit(fact.place, message, "make one `FloatFunctional` for each operation", fact)
