"""15: classes that are no nn.Module, mixed into classes that are."""

from __future__ import annotations

from tests.rewrite.cases import HEADER, Case, declined, module, prepared

_ADDS = "class Adds{}:\n    def added(self, x, y):\n        return torch.relu(x) + y\n"
_NET = """

class Net({}):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return {}
"""


def _net(bases: str, result: str = "self.added(self.fc(x), x)") -> str:
    return _NET.format(bases, result)


MIXINS: tuple[Case, ...] = (
    prepared("mixin-before", module(_ADDS.format("") + _net("Adds, nn.Module"))),
    prepared(
        "mixin-behind-twice", module(_ADDS.format("") + _net("nn.Module, Adds", "self.added(self.added(x, x), x)"))
    ),
    prepared("mixin-abstract", module("from abc import ABC\n\n\n" + _ADDS.format("(ABC)") + _net("nn.Module, Adds"))),
    prepared(
        "mixin-of-two-classes",
        module(
            _ADDS.format("")
            + _net("Adds, nn.Module").replace("Net", "Inner")
            + "\n\nclass Leaf(nn.Module, Adds):\n    def forward(self, x):\n        return self.added(x, x)\n"
            + "\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            + "        self.inner, self.leaf = Inner(), Leaf()\n\n"
            + "    def forward(self, x):\n        return self.leaf(self.inner(x))\n"
        ),
    ),
    prepared(
        "mixin-with-constructor-and-property",
        module(
            "class Scaled:\n    def __init__(self, *args):\n        super().__init__(*args)\n        self.k = 2.0\n\n"
            "    @property\n    def doubled(self):\n        return self.kept * self.k\n"
            + _net("Scaled, nn.Module", "self.doubled").replace(
                "        return", "        self.kept = self.fc(x)\n        return"
            )
        ),
    ),
    prepared(
        "mixin-runs-a-child-twice",
        module(
            "class Twice:\n    def both(self, x):\n        return self.act(self.fc(self.act(x)))\n"
            + _net("nn.Module, Twice", "self.both(x)").replace(
                "nn.Linear(4, 4)", "nn.Linear(4, 4)\n        self.act = nn.ReLU()"
            )
        ),
    ),
    prepared(
        "mixin-in-another-file",
        {
            "mixed.py": "import torch\n\n\ndef swish(x):\n    return x * torch.sigmoid(x)\n\n\n"
            "class Adds:\n    def added(self, x, y):\n        return swish(torch.relu(x)) + y\n",
            "model.py": HEADER.replace("from torch import nn", "import torch.nn as layers\nfrom mixed import Adds")
            + _net("Adds, layers.Module").replace("nn.Linear", "layers.Linear"),
        },
    ),
    declined(
        "mixin-with-objects-of-its-own",
        module(_ADDS.format("") + _net("Adds, nn.Module", "self.added(x, x) + Adds().added(x, x)")),
        "is not an nn.Module",
    ),
)

CASES: dict[int, tuple[Case, ...]] = {15: MIXINS}
