"""QP101: arithmetic between tensors, written as an operator."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid, help_for, unowned
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP101",
    "tensor-operator",
    "Arithmetic between tensors, written as an operator",
    "A module-level quantizer cannot see `+`, `-`, `*`, `/`, `//`, `%`, `**`, `@` or unary minus on tensors. No "
    "observer records the range of the result, and in integer arithmetic the operands' scales do not match.",
)
VALID = (
    """
from torch import nn

class Sizes(nn.Module):
    def forward(self, x):
        half = x.size(1) // 2
        return x.view(x.shape[0] * half, -1)
""",
    """
from torch import nn

class Scale(nn.Module):  # a dedicated operation module already
    def forward(self, a, b):
        return a * b
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        out = self.conv(x)
        out += x
        return out @ x
""",
        ("out += x", "out @ x"),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Operators whose operands are tensors."""
    for site in unowned(facts):
        if site.form in ("operator", "augmented", "unary") and not site.scalar:
            symbol = (site.op.operators or (site.op.name,))[0].replace("-x", "-")
            shown = f"{symbol}=" if site.form == "augmented" else symbol
            yield Hit(
                site.place, f"`{shown}` on tensors is invisible to a module-level quantizer", help_for(site), site
            )
