"""QP506: a FloatFunctional made inside forward."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP506",
    "inline-functional",
    "A FloatFunctional is created inside forward",
    "`prepare` and `convert` replace attributes of the model. An object that forward creates in each pass is never "
    "observed or quantized, and fails on quantized tensors.",
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

    def forward(self, x):
        y = self.add.add(self.conv(x), x)
        return y
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
        return FloatFunctional().mul(y, x)
""",
        ("FloatFunctional()",),
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
    """Constructions in functions that a forward runs."""
    for fact in facts.eager.inline.values():
        message = "a `FloatFunctional` created in forward is never observed or quantized"
        yield Hit(fact.place, message, "make it in `__init__`", fact)
