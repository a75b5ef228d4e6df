"""QP508: a fuse list whose modules cannot be fused."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import ONE_STAGE, edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP508",
    "unfusable-sequence",
    "A fuse list has an activation or an order of modules that cannot be fused",
    "`fuse_modules` fuses a convolution or linear layer with BatchNorm, with nn.ReLU, or with both in this order. "
    "Any other activation stays a separate module.",
)
_RELU6 = edited(ONE_STAGE, ("nn.ReLU()", "nn.ReLU6()"))
VALID = (ONE_STAGE,)
INVALID = (Invalid(_RELU6, ('"relu"',), after=edited(_RELU6, (', "relu"]', "]"))),)


def check(facts: Facts) -> Iterator[Hit]:
    """The first member that fits no sequence."""
    for fact in facts.eager.wrong.values():
        shown = ", ".join(f"nn.{name}" for name in fact.classes)
        message = f"`{fact.name}` cannot be fused: `fuse_modules` does not support {shown}"
        yield Hit(fact.place, message, "leave it out of the list" if fact.droppable else "list what fuses only", fact)
