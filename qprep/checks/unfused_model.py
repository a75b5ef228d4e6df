"""QP511: classes without a fuse list."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.catalogue.targets import TORCH_AO
from qprep.foundation.findings import Rule

TARGET = TORCH_AO
RULE = Rule(
    "QP511",
    "unfused-model",
    "Under the target torch-ao: a class with modules to fuse, and no fuse list",
    "`fuse_modules` turns these modules into one quantized kernel; an unfused BatchNorm1d has no kernel at all. "
    'Reported with `target = "torch-ao"` only.',
)
VALID = (
    """
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub, fuse_modules

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.quant = QuantStub()
        self.dequant = DeQuantStub()

    def forward(self, x):
        return self.dequant(self.bn(self.conv(self.quant(x))))

    def fuse_model(self):
        fuse_modules(self, [["conv", "bn"]], inplace=True)
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
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.quant = QuantStub()
        self.dequant = DeQuantStub()

    def forward(self, x):
        return self.dequant(self.bn(self.conv(self.quant(x))))
""",
        ("nn.Module",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Classes that could fuse, in files without any fuse list."""
    for fact in facts.eager.unfused.values():
        message = f"`{fact.name}` has modules to fuse but no fuse list"
        yield Hit(fact.place, message, "write a `fuse_model` that calls `fuse_modules`", fact)
