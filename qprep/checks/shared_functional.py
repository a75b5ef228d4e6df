"""QP505: one FloatFunctional for several operations."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import SUM_AND_PRODUCT, edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP505",
    "shared-functional",
    "A FloatFunctional that several operations use",
    "A FloatFunctional observes the outputs of one operation and has one scale. If two operations use it, the scale"
    " fits neither.",
)
_MADE, _USED = "        self.mul = FloatFunctional()\n", "self.mul.mul(y, x)"
VALID = (SUM_AND_PRODUCT,)
INVALID = (
    Invalid(
        edited(SUM_AND_PRODUCT, (_MADE, ""), (_USED, "self.add.mul(y, x)")),
        ("self.add.mul(y, x)",),
        after=SUM_AND_PRODUCT,
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """The second use and every later one, and uses in a loop."""
    for fact in facts.eager.shared.values():
        how = "by every iteration of a loop" if fact.loops else "by a second operation"
        message = f"the FloatFunctional `self.{fact.attribute}` is used {how}, with one scale for all"
        yield Hit(fact.place, message, "make one `FloatFunctional` for each operation", fact)
