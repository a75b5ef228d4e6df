"""QP105: Python's own functions on tensors."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid, help_for, unowned
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP105",
    "python-function",
    "A builtin function on tensors, such as `sum(features)` or `abs(x)`",
    "`sum`, `abs` and functions passed to `map` or `functools.reduce` run tensor arithmetic that the source does "
    "not show as an operation.",
)
VALID = (
    """
from torch import nn

class Count(nn.Module):
    def forward(self, x):
        return x.view(sum([1, 2]), -1)
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        return sum([branch(x) for branch in self.branches])
""",
        ("sum([branch(x) for branch in self.branches])",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Builtins on tensors and functions passed to map and reduce."""
    for site in unowned(facts):
        if site.form in ("builtin", "value") and site.spelling is not None:
            name = site.spelling.qualified.removeprefix("builtins.")
            yield Hit(site.place, f"`{name}` runs tensor arithmetic outside of any module", help_for(site), site)
