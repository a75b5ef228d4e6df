"""6: objects of classes that are no nn.Module, whose methods run operations."""

from __future__ import annotations

from tests.rewrite.cases import HEADER, Case, declined, module, prepared

_CODER = (
    "class Coder{}:\n    def __init__(self, k=2.0):\n        self.k = k\n\n"
    "    def decode(self, x):\n        return torch.exp(x * self.k)\n"
)
_NET = """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
{}
    def forward(self, x):
        {}
"""
_CACHE = """
class Cache:
    def __init__(self):
        self.kept = None

    def update(self, x):
        self.kept = x if self.kept is None else torch.cat([self.kept, x], 1)
        return self.kept
"""


def _net(result: str, *init: str) -> str:
    return _NET.format("".join(f"        {line}\n" for line in init), result)


PLAIN: tuple[Case, ...] = (
    prepared(
        "object-held", module(_CODER.format("") + _net("return self.coder.decode(self.fc(x))", "self.coder = Coder()"))
    ),
    prepared(
        "object-called-twice",
        module(_CODER.format("") + _net("return self.c.decode(self.c.decode(self.fc(x)))", "self.c = Coder()")),
    ),
    prepared(
        "object-that-is-called",
        module(
            "class Processor:\n    def __call__(self, net, x):\n        return torch.softmax(net.fc(x), -1) * x\n"
            + _net("return self.processor(self, x)", "self.set_processor(None)")
            + "\n    def set_processor(self, processor):\n"
            + "        self.processor = Processor() if processor is None else processor\n"
        ),
    ),
    prepared(
        "objects-in-a-list",
        module(
            _CODER.format("")
            + _net(
                "for coder in self.coders:\n            x = coder.decode(self.fc(x))\n        return x",
                "self.coders = [Coder(0.5), Coder(0.25)]",
            )
        ),
    ),
    prepared(
        "object-made-in-forward",
        module(_CACHE + _net("cache = Cache()\n        cache.update(self.fc(x))\n        return cache.update(x)")),
    ),
    prepared(
        "object-inherits-from-another-file",
        {
            "bases.py": "import torch\n\n\ndef half(x):\n    return x * 0.5\n\n\n"
            "class Base:\n    def decode(self, x):\n        return torch.exp(half(x))\n",
            "model.py": HEADER
            + "from bases import Base\n\n\nclass Coder(Base):\n    def __init__(self):\n        self.k = 1\n\n"
            + "    def more(self, x):\n        return self.decode(x) + self.k\n"
            + _net("return self.coder.more(self.fc(x))", "self.coder = Coder()"),
        },
    ),
    prepared(
        "object-of-a-dataclass",
        module(
            "from dataclasses import dataclass\n\n\n@dataclass\nclass Coder:\n    k: float = 2.0\n\n"
            "    def decode(self, x):\n        return x * self.k\n"
            + _net("assert self.coder == Coder()\n        return self.coder.decode(self.fc(x))", "self.coder = Coder()")
        ),
    ),
    declined(
        "object-with-slots",
        module(
            _CODER.format("").replace("    def __init__", "    __slots__ = ('k',)\n\n    def __init__", 1)
            + _net("return self.coder.decode(self.fc(x))", "self.coder = Coder()")
        ),
        "defines __slots__",
    ),
    declined(
        "object-of-the-file",
        module(_CODER.format("") + "\n\nCODER = Coder()\n" + _net("return CODER.decode(self.fc(x))")),
        "no module is known to hold one",
    ),
)

CASES: dict[int, tuple[Case, ...]] = {6: PLAIN}
