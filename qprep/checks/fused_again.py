"""QP503: a module in two fuse lists, or in one though it runs more than once."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import TWO_STAGES, edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP503",
    "fused-again",
    "A module is in two fuse lists, or in one although it runs more than once",
    "Fusing replaces all modules of a list except the first by nn.Identity. A second list that names one of them "
    "cannot be fused, and another call of it silently does nothing.",
)
VALID = (TWO_STAGES,)
INVALID = (Invalid(edited(TWO_STAGES, ('"relu2"]', '"relu1"]')), ('"relu1"',), after=TWO_STAGES),)


def check(facts: Facts) -> Iterator[Hit]:
    """Members of fuse lists that something else needs, too."""
    for fact in facts.eager.again.values():
        if fact.runs:
            message = f"`{fact.name}` is fused into another module here, but forward runs it more than once"
        else:
            message = f"`{fact.name}` is fused into another module by an earlier list of this call"
        remedy = f"name `{fact.meant}`, which forward calls here" if fact.meant else "give each list its own module"
        yield Hit(fact.place, message, remedy, fact)
