"""QP206: layers in a plain list or dict, which nobody registers."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP206",
    "unregistered-layers",
    "Layers are stored in a plain list, tuple or dict, which does not register them",
    "`model.modules()` does not list these layers, so a quantizer, an optimizer, `state_dict()` and `.to(device)` "
    "miss them. There is no fix: `nn.ModuleList` would add keys to the `state_dict` that existing checkpoints do "
    "not have.",
    fixable=False,
)
VALID = (
    """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [nn.Linear(4, 4) for _ in range(2)]
        self.held = nn.ModuleList(self.blocks)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [nn.Linear(4, 4) for _ in range(2)]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
""",
        ("[nn.Linear(4, 4) for _ in range(2)]",),
    ),
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = {"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)}

    def forward(self, x):
        return self.heads["a"](x), self.heads["b"](x)
""",
        ('{"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)}',),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Attributes that get layers which nothing registers."""
    for layers in facts.unregistered.values():
        message = f"`self.{layers.attribute}` holds layers that are not registered"
        yield Hit(layers.place, message, "hold them in nn.ModuleList or nn.ModuleDict; the state_dict grows", layers)
