"""QP510: models without stubs."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import WITH_STUBS
from qprep.checks.base import Hit, Invalid
from qprep.foundation.catalogue.targets import TORCH_AO
from qprep.foundation.findings import Rule

TARGET = TORCH_AO
RULE = Rule(
    "QP510",
    "unstubbed-model",
    "Under the target torch-ao: a model without QuantStub and DeQuantStub",
    "In eager mode, tensors are quantized between a QuantStub and a DeQuantStub. Reported with `target = "
    '"torch-ao"` only.',
)
VALID = (WITH_STUBS,)
INVALID = (
    Invalid(
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.conv(x)
""",
        ("super().__init__()",),
        """\
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.quant = QuantStub()
        self.dequant = DeQuantStub()

    def forward(self, x):
        x = self.quant(x)
        return self.dequant(self.conv(x))
""",
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Models that no other module is made of."""
    for fact in facts.eager.unstubbed.values():
        message = f"the model `{fact.name}` has no stubs: its input is never quantized"
        yield Hit(fact.place, message, "call a `QuantStub` on the input and a `DeQuantStub` on the output", fact)
