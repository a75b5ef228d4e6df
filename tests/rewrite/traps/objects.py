"""14: objects that are no modules: caches, records, helpers with methods."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared, untouched

_CACHE = """
class Cache:
    def __init__(self):
        self.keys = {}

    def update(self, key, index):
        if index in self.keys:
            key = torch.cat((self.keys[index], key), dim=1)
        self.keys[index] = key
        return self.keys[index]
"""

_SCALER = """
class Scaler:
    def __init__(self, by):
        self.by = by

    def {0}(self, t):
        return t * self.by
"""

_AUTOGRAD = """
class Halve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        return t / 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2


halve = Halve.apply
"""

_NO_MODULE = "is not an nn.Module"

OBJECTS: tuple[Case, ...] = (
    prepared(
        "cache",
        net("cache = Cache()\nx = cache.update(self.fc(x), 0)\nreturn cache.update(x, 0)", extra=_CACHE),
    ),
    prepared(
        "cache-as-an-argument",
        net(
            "return self.step(self.fc(x), Cache())\n\ndef step(self, x, cache: Cache):\n"
            "    return cache.update(cache.update(x, 1), 1)",
            extra=_CACHE,
        ).replace(
            "        def step(self, x, cache: Cache):\n            ", "    def step(self, x, cache: Cache):\n        "
        ),
    ),
    prepared(
        "helper-with-a-method",
        net("return self.scaler.scale(self.fc(x))", "self.scaler = Scaler(2.0)", extra=_SCALER.format("scale")),
    ),
    prepared(
        "helper-that-is-called",
        net("return self.scaler(self.fc(x))", "self.scaler = Scaler(2.0)", extra=_SCALER.format("__call__")),
    ),
    declined(
        "helper-of-the-file",
        net("return SCALER(self.fc(x))", extra=_SCALER.format("__call__").rstrip() + "\n\n\nSCALER = Scaler(2.0)"),
        _NO_MODULE,
    ),
    prepared(
        "helper-that-computes-when-made",
        net(
            "return self.fc(Pair(x).total)", extra="class Pair:\n    def __init__(self, t):\n        self.total = t + t"
        ),
    ),
    prepared(
        "helper-with-a-property",
        net(
            "return Pair(self.fc(x)).total",
            extra="class Pair:\n    def __init__(self, t):\n        self.t = t\n\n"
            "    @property\n    def total(self):\n        return self.t + self.t",
        ),
    ),
    prepared(
        "helper-with-a-base",
        net(
            "return Scaler(2.0).scale(self.fc(x))",
            extra="class Base:\n    def scale(self, t):\n        return F.relu(t) * 2\n\n\n"
            "class Scaler(Base):\n    def __init__(self, by):\n        self.by = by\n\n"
            "    def scale(self, t):\n        return super().scale(t) * self.by",
        ),
    ),
    prepared(
        "helper-with-a-class-method",
        net(
            "return Scaler.scale(self.fc(x))",
            extra="class Scaler:\n    by = 2\n\n    @classmethod\n    def scale(cls, t):\n        return t * cls.by",
        ),
    ),
    prepared(
        "helper-that-runs-a-module-and-more",
        net(
            "return self.runner(x)",
            "self.runner = Runner(self.fc)",
            extra="class Runner:\n    def __init__(self, inner):\n        self.inner = inner\n\n"
            "    def __call__(self, t):\n        return F.relu(self.inner(t))",
        ),
    ),
    prepared(
        "function-called-by-a-helper",
        net(
            "return Scaler().scale(self.fc(x))",
            extra="def twice(t):\n    return t * 2\n\n\n"
            "class Scaler:\n    def scale(self, t):\n        return twice(t)",
        ),
    ),
    prepared(
        "helper-with-operators",
        net(
            "return (Pair(self.fc(x)) + x).t",
            extra="class Pair:\n    def __init__(self, t):\n        self.t = t\n\n"
            "    def __add__(self, other):\n        return Pair(self.t + other)",
        ),
    ),
    prepared(
        "helper-that-only-holds",
        net(
            "state = State(self.fc(x))\nstate.seen.append(x)\nreturn state.t + state.seen[0]",
            extra="class State:\n    def __init__(self, t):\n        self.t = t\n        self.seen = []",
        ),
    ),
    prepared(
        "attribute-set-from-outside",
        net(
            "state = State()\nstate.t = self.fc(x)\nreturn self.read(state) + x\n\ndef read(self, state):\n"
            "    return F.relu(state.t)",
            extra="class State:\n    t = None",
        ).replace("        def read(self, state):\n            ", "    def read(self, state):\n        "),
    ),
    prepared(
        "dataclass",
        net(
            "pair = Pair(self.fc(x), second=x)\nreturn pair.first + pair.second",
            extra="import dataclasses\nfrom typing import Any\n\n\n@dataclasses.dataclass\nclass Pair:\n"
            "    first: Any\n    second: Any = None",
        ),
    ),
    prepared(
        "dataclass-as-an-argument",
        module("""
from dataclasses import dataclass


@dataclass
class Pair:
    first: torch.Tensor
    second: torch.Tensor


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, pair: Pair):
        return self.fc(pair.first) + pair.second


def example():
    return Net(), (Pair(torch.randn(2, 4), torch.randn(2, 4)),)
"""),
    ),
    prepared(
        "named-tuple-class",
        net(
            "pair = Pair(self.fc(x), x)\nfirst, second = pair\nreturn pair.first + second, pair[1] * first",
            extra="from typing import NamedTuple\n\n\n"
            "class Pair(NamedTuple):\n    first: torch.Tensor\n    second: object",
        ),
    ),
    prepared(
        "named-tuple",
        net(
            "pair = Pair(self.fc(x), second=x)\nfirst, second = pair\nreturn pair.first + second, pair[1] * first",
            extra="from collections import namedtuple\n\nPair = namedtuple('Pair', ['first', 'second'])",
        ),
    ),
    prepared(
        "result-of-an-autograd-function",
        net("return halve(Halve.apply(self.fc(x)) * 2) + x", extra=_AUTOGRAD),
    ),
    prepared(
        "dataclass-that-computes-when-made",
        net(
            "return Pair(self.fc(x), x).total",
            extra="from dataclasses import dataclass\n\n\n@dataclass\nclass Pair:\n    a: torch.Tensor\n"
            "    b: torch.Tensor\n\n    def __post_init__(self):\n        self.total = self.a + self.b",
        ),
    ),
    prepared(
        "helper-that-is-filled",
        net(
            "store = Store()\nstore[0] = self.fc(x)\nreturn store[0]",
            extra="class Store:\n    def __init__(self):\n        self.kept = {}\n\n"
            "    def __setitem__(self, key, t):\n        self.kept[key] = t * 2\n\n"
            "    def __getitem__(self, key):\n        return self.kept[key]",
        ),
    ),
    prepared(
        "collected-in-an-attribute",
        net("self.seen = []\nself.seen.append(self.fc(x))\nself.seen.append(x)\nreturn sum(self.seen)"),
    ),
    prepared(
        "written-into-an-attribute",
        net(
            "y = self.fc(x)\nself.kept[0] = y.detach().flatten()[0]\nreturn y, self.kept * 2",
            "self.kept = torch.zeros(1)",
        ),
    ),
    untouched(
        "helper-without-tensors",
        net(
            "return self.fc(x).flatten(self.plan.start(1))",
            "self.plan = Plan(2)",
            extra="class Plan:\n    def __init__(self, n):\n        self.n = n\n\n"
            "    def start(self, k):\n        return self.n // 2 * k",
        ),
    ),
)

CASES = {14: OBJECTS}
