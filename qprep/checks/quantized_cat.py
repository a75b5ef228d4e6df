"""QP507: `torch.cat` on quantized tensors."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import SUM_AND_PRODUCT, edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP507",
    "quantized-cat",
    "`torch.cat` on quantized tensors",
    "`torch.cat` silently gives the result the scale of the first quantized tensor and clips values outside its "
    "range. FloatFunctional.cat observes its own scale.",
)
_CAT = edited(
    SUM_AND_PRODUCT,
    ("self.mul = FloatFunctional", "self.cat = FloatFunctional"),
    ("self.mul.mul(y, x)", "self.cat.cat([x, y], dim=1)"),
)
VALID = (_CAT,)
INVALID = (
    Invalid(
        "import torch\n"
        + edited(_CAT, ("        self.cat = FloatFunctional()\n", ""), ("self.cat.cat(", "torch.cat(")),
        ("torch.cat([x, y], dim=1)",),
        after=_CAT,
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """`torch.cat` in classes of eager quantization, between their stubs where they have them."""
    for place in sorted(facts.eager.cats):
        site = facts.ops[place]
        name = site.spelling.qualified if site.spelling is not None else "torch.cat"
        message = f"`{name}` uses the scale of its first input for all inputs"
        yield Hit(place, message, "use `FloatFunctional.cat`", site)
