"""QP507: `torch.cat` on quantized tensors."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP507",
    "quantized-cat",
    "`torch.cat` on quantized tensors",
    "`torch.cat` silently gives the result the scale of the first quantized tensor and clips values outside its "
    "range. FloatFunctional.cat observes its own scale.",
)
VALID = (
    """
import torch
from torch import nn
from torch.ao.nn.quantized import FloatFunctional

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.add = FloatFunctional()
        self.cat = FloatFunctional()

    def forward(self, x):
        y = self.add.add(self.conv(x), x)
        return self.cat.cat([x, y], dim=1)
""",
)
INVALID = (
    Invalid(
        """\
import torch
from torch import nn
from torch.ao.nn.quantized import FloatFunctional


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.add = FloatFunctional()

    def forward(self, x):
        y = self.add.add(self.conv(x), x)
        return torch.cat([x, y], dim=1)
""",
        ("torch.cat([x, y], dim=1)",),
        """\
from torch import nn
from torch.ao.nn.quantized import FloatFunctional


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.add = FloatFunctional()
        self.cat = FloatFunctional()

    def forward(self, x):
        y = self.add.add(self.conv(x), x)
        return self.cat.cat([x, y], dim=1)
""",
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """`torch.cat` in classes of eager quantization, between their stubs where they have them."""
    for place in sorted(facts.eager.cats):
        site = facts.ops[place]
        name = site.spelling.qualified if site.spelling is not None else "torch.cat"
        message = f"`{name}` uses the scale of its first input for all inputs"
        yield Hit(place, message, "use `FloatFunctional.cat`", site)
