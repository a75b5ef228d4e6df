"""QP205: the children of another module, taken by position or counted."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule, Severity

RULE = Rule(
    "QP205",
    "positional-children",
    "The children of another module are taken by position, or counted",
    "A prepared module has more children than before, one for each operation. `list(model.children())[:-1]` would "
    "then omit a different child.",
    severity=Severity.INFO,
)
VALID = (
    """
from torch import nn

class Trunk(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.stem = model.stem
        for child in model.children():
            child.requires_grad_(False)

    def forward(self, x):
        return self.stem(x)
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Trunk(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*list(model.children())[:-1])

    def forward(self, x):
        return self.body(x)
""",
        ("model.children()",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Such places, but those where the module is one of torch.nn's own."""
    for walk in facts.child_iterations.values():
        if walk.method and not (walk.classes and all(cls.module == "torch.nn" for cls in walk.classes)):
            message = f"`.{walk.method}()` is taken by position, and preparing a model adds children"
            yield Hit(walk.place, message, f"use the children that were there before: `original_{walk.method}`", walk)
