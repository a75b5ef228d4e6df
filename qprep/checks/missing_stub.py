"""QP504: a QuantStub or DeQuantStub that is missing, or never called."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP504",
    "missing-stub",
    "A QuantStub or DeQuantStub is missing, or is created and never called",
    "Tensors are quantized between the two stubs. Without the first, a quantized kernel gets floats and fails. "
    "Without the second, the model returns quantized tensors.",
    fixable=False,
)
VALID = (
    """
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.conv = nn.Conv2d(4, 4, 1)
        self.dequant = DeQuantStub()

    def forward(self, x):
        x = self.conv(self.quant(x))
        return self.dequant(x)
""",
)
INVALID = (
    Invalid(
        """
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.conv = nn.Conv2d(4, 4, 1)
        self.dequant = DeQuantStub()

    def forward(self, x):
        x = self.conv(self.quant(x))
        return x
""",
        ("DeQuantStub()",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Stubs that are alone, or that nothing calls."""
    for fact in facts.eager.stubs.values():
        end = "is not quantized" if fact.stub == "QuantStub" else "stays quantized"
        side = "input" if fact.stub == "QuantStub" else "output"
        if fact.attribute is not None:
            message = f"the {fact.stub} `self.{fact.attribute}` is never called: the {side} {end}"
            yield Hit(fact.place, message, f"call `self.{fact.attribute}` on the {side} in forward", fact)
        else:
            message = f"there is no `{fact.stub}` in this class: the {side} {end}"
            yield Hit(fact.place, message, f"make a `{fact.stub}` and call it on the {side} in forward", fact)
