"""QP512: sums and their ReLU in two steps."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.catalogue.targets import TORCH_AO
from qprep.foundation.findings import Rule

TARGET = TORCH_AO
RULE = Rule(
    "QP512",
    "sum-and-relu",
    "Under the target torch-ao: a sum and its ReLU in two steps",
    "`FloatFunctional.add_relu` computes both in one kernel and observes the result of the ReLU. Reported with "
    '`target = "torch-ao"` only.',
    follows=True,
)
_FUSED = """\
from torch import nn
from torch.ao.nn.quantized import FloatFunctional
from torch.ao.quantization import DeQuantStub, QuantStub


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.dequant = DeQuantStub()
        self.fc = nn.Linear(4, 4)
        self.add = FloatFunctional()
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.quant(x)
        y = self.add.add_relu(self.fc(x), x)
        return self.dequant(y)
"""
_IN_ONE_LINE, _IN_TWO_LINES = (
    "self.relu(self.add.add(self.fc(x), x))",
    "self.add.add(self.fc(x), x)\n        y = self.relu(y)",
)
VALID = (_FUSED,)
INVALID = (
    Invalid(edited(_FUSED, ("self.add.add_relu(self.fc(x), x)", _IN_ONE_LINE)), (_IN_ONE_LINE,), after=_FUSED),
    Invalid(edited(_FUSED, ("self.add.add_relu(self.fc(x), x)", _IN_TWO_LINES)), ("self.relu(y)",), after=_FUSED),
)


def check(facts: Facts) -> Iterator[Hit]:
    """ReLUs behind a sum that nothing else takes."""
    for fact in facts.eager.sums.values():
        message = f"`self.{fact.relu}` follows a sum; `add_relu` computes both in one step"
        yield Hit(fact.place, message, "call `FloatFunctional.add_relu`", fact)
