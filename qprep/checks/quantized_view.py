"""QP513: `.view()` on quantized tensors."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.catalogue.targets import TORCH_AO
from qprep.foundation.findings import Rule

TARGET = TORCH_AO
RULE = Rule(
    "QP513",
    "quantized-view",
    "Under the target torch-ao: `.view()`, which fails on the output of a quantized convolution",
    "Quantized convolutions give tensors whose channels come last in memory, and `view` raises where it would have to "
    'copy. `reshape` copies in this case, and otherwise does the same. Reported with `target = "torch-ao"` only.',
)
_HEAD = """
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(64, 4)
        self.quant, self.dequant = QuantStub(), DeQuantStub()

    def forward(self, x):
        x = self.conv(self.quant(x))
"""
VALID = (_HEAD + "        return self.dequant(self.fc(x.reshape(x.size(0), -1)))\n",)
INVALID = (
    Invalid(
        _HEAD + "        return self.dequant(self.fc(x.view(x.size(0), -1)))\n",
        ("x.view(x.size(0), -1)",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Calls of `.view()` with sizes, in methods that forwards run."""
    for fact in facts.eager.views.values():
        yield Hit(fact.place, "`.view()` may fail on a quantized tensor", "use `.reshape()`", fact)
