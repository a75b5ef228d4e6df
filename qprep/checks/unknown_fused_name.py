"""QP501: fuse lists that name a submodule which the class does not have."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import ONE_STAGE, edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP501",
    "unknown-fused-name",
    "A fuse list names a submodule that the class does not have",
    "`fuse_modules` takes names of attributes, such as `conv1` or `layer1.0.bn`. It does not take names of classes,"
    " and an unknown name raises an AttributeError.",
)
VALID = (ONE_STAGE,)
INVALID = (
    Invalid(
        edited(ONE_STAGE, ('["conv", "bn", "relu"]', '["conv2d", "BatchNorm2d", "ReLU"]')),
        ('"conv2d"', '"BatchNorm2d"', '"ReLU"'),
        after=ONE_STAGE,
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Names that lead nowhere, with those that may be meant."""
    for fact in facts.eager.unknown_names.values():
        close = f"did you mean {' or '.join(f'`{name}`' for name in fact.close)}?" if fact.close else ""
        message = f"`{fact.owner}` has no submodule `{fact.name}` to fuse"
        yield Hit(fact.place, message, close or "name an attribute of the class, as in `layer1.0.conv`", fact)
