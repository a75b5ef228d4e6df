"""QP204: Parameters that two modules share by design."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule, Severity

RULE = Rule(
    "QP204",
    "tied-parameter",
    "One Parameter belongs to two modules: tied weights",
    "A quantizer that handles the weights of each module separately would quantize a tied weight twice, or untie "
    "it. The model is correct, and no fix unties it. This finding is informational and does not change the exit "
    "code.",
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
        self.encoder = nn.Embedding(9, 4)
        self.decoder = nn.Linear(4, 9)
        self.decoder.weight = nn.Parameter(torch.zeros(9, 4))

    def forward(self, x):
        return self.decoder(self.encoder(x))
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Embedding(9, 4)
        self.decoder = nn.Linear(4, 9)
        self.decoder.weight = self.encoder.weight

    def forward(self, x):
        return self.decoder(self.encoder(x))
""",
        ("self.encoder.weight",),
    ),
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict({"encoder": nn.Embedding(9, 4)})
        self.head = nn.Sequential(nn.Linear(4, 9))

    def tie_weights(self):
        setattr(self.head[0], "weight", self.layers["encoder"].weight)

    def forward(self, x):
        return self.head(self.layers["encoder"](x))
""",
        ('self.layers["encoder"].weight',),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Second names of Parameters."""
    for tied in facts.tied.values():
        message = f"`{tied.second}` is the same Parameter as `{tied.first}`"
        yield Hit(tied.place, message, "quantize both uses with one scale, or keep this weight in floating point", tied)
