"""QP506: a FloatFunctional made inside forward."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import SUM_AND_PRODUCT, edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP506",
    "inline-functional",
    "A FloatFunctional is created inside forward",
    "`prepare` and `convert` replace attributes of the model. An object that forward creates in each pass is never "
    "observed or quantized, and fails on quantized tensors.",
)
_MADE, _USED = "        self.mul = FloatFunctional()\n", "self.mul.mul(y, x)"
VALID = (SUM_AND_PRODUCT,)
INVALID = (
    Invalid(
        edited(SUM_AND_PRODUCT, (_MADE, ""), (_USED, "FloatFunctional().mul(y, x)")),
        ("FloatFunctional()",),
        after=SUM_AND_PRODUCT,
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Constructions in functions that a forward runs."""
    for fact in facts.eager.inline.values():
        message = "a `FloatFunctional` created in forward is never observed or quantized"
        yield Hit(fact.place, message, "make it in `__init__`", fact)
