"""QP102: arithmetic of a tensor with a number."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid, help_for, unowned
from qprep.foundation.findings import Rule, Severity

RULE = Rule(
    "QP102",
    "tensor-scalar-operator",
    "Arithmetic of a tensor with a number, written as an operator",
    "Scaling or shifting a tensor by a Python number changes its range. A quantizer may fold the number into a scale, "
    "but only if the operation is a module.",
    Severity.WARNING,
)
VALID = (
    """
from torch import nn

class Half(nn.Module):
    def forward(self, x):
        return x[:, : x.size(1) // 2]
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.scale = 4 ** -0.5

    def forward(self, x):
        return 1 - self.fc(x) * 2
""",
        ("1 - self.fc(x) * 2", "self.fc(x) * 2"),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Operators between a tensor and a number."""
    for site in unowned(facts):
        if site.form in ("operator", "augmented") and site.scalar:
            symbol = (site.op.operators or (site.op.name,))[0]
            shown = f"{symbol}=" if site.form == "augmented" else symbol
            message = f"`{shown}` of a tensor and a number is invisible to a module-level quantizer"
            yield Hit(site.place, message, help_for(site), site)
