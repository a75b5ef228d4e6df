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


_INIT = "def __init__(self, p, k=1):\n        self.p = p * k"
_WRAPS = "def wraps(f):\n    def run(self, *args):\n        return f(self, *args)\n\n    return run\n\n\n"
_DATA = "from dataclasses import dataclass\n\n\n@dataclass"


def _dist(head: str = _INIT, name: str = "Dist", more: str = "") -> str:
    """A class whose constructor runs operations."""
    return (
        f"\nclass {name}:\n    {head}\n        self.std = torch.exp(p * 0.5)\n{more}\n"
        "    def sample(self):\n        return self.p + self.std * 2\n"
    )


def _maker(made: str = "Dist(self.fc(x))", decorator: str = "") -> str:
    """A module that makes such an object in a method."""
    return _net("found = self.encode(x)\n        return found.sample() + found.std") + (
        f"\n    {decorator}def encode(self, x):\n        return {made}\n"
    )


_MADE = {
    "by-its-constructor": _dist() + _maker(),
    "with-keywords": _dist() + _maker("Dist(k=2, *(self.fc(x),))"),
    "in-a-decorated-method": _WRAPS + _dist() + _maker(decorator="@wraps\n    "),
    "of-a-dataclass": _DATA + _dist("p: torch.Tensor\n\n    def __post_init__(self):\n        p = self.p") + _maker(),
    "by-the-constructor-of-a-base": _dist(name="Base")
    + "\n\nclass Dist(Base):\n    def more(self):\n        return self.std\n"
    + _maker(),
}

_SETTER = """
class Processor:
    def __call__(self, net, x):
        return torch.softmax(net.fc(x), -1) * x


class Other:
    def __call__(self, net, x):
        return net.fc(x) * 2 + x


class Layer(nn.Module):
    def forward(self, net, x):
        return torch.tanh(x)


class Processes{base}:
    default = None

    def set_processor(self, processor):
        self.processor = processor


class Net({bases}):
    default = Processor

    def __init__(self, processor=None):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.set_processor(self.default() if processor is None else processor)

    def forward(self, x, **kwargs):
        return self.processor(self, x, **kwargs)


class Double(Net):
    def forward(self, x):
        return super().forward(x) + x


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Net(processor=Processor())
        self.second = {second}

    def forward(self, x):
        return self.second(self.first(x))


def example():
    return Pair(), (torch.randn(2, 4),)
"""
_SETTERS = {
    "by-a-mixin": _SETTER.format(base="", bases="nn.Module, Processes", second="Double()"),
    "by-a-mixin-in-front": _SETTER.format(base="", bases="Processes, nn.Module", second="Net()"),
    "by-a-base": _SETTER.format(base="(nn.Module)", bases="Processes", second="Double()"),
    "by-an-argument": _SETTER.format(base="", bases="nn.Module, Processes", second="Net(processor=Other())"),
    "by-an-argument-of-another-class": _SETTER.format(
        base="", bases="nn.Module, Processes", second="Net(processor=Other())"
    ).replace("processor=None):", "processor: Processor | None = None):"),
    "by-an-argument-of-another-class-in-quotes": _SETTER.format(
        base="", bases="nn.Module, Processes", second="Net(Other())"
    ).replace("processor=None):", "processor: 'Processor | None' = None):"),
    "by-an-argument-or-a-module": _SETTER.format(
        base="", bases="nn.Module, Processes", second="nn.Sequential(Net(Other()), Net(Layer()))"
    ),
    "by-a-method-or-a-module": _SETTER.format(base="", bases="nn.Module, Processes", second="Net(Other())").replace(
        "        self.processor = processor", "        self.processor = Layer() if processor == 'layer' else processor"
    ),
    "by-a-mixin-that-others-have": _SETTER.format(base="", bases="nn.Module, Processes", second="Net()")
    + "\n\nclass Tool(Processes):\n    pass\n\n\nTool().set_processor(None)\n",
}

PLAIN: tuple[Case, ...] = (
    *(prepared(f"object-set-{name}", module(source)) for name, source in _SETTERS.items()),
    *(prepared(f"object-made-{name}", module(source)) for name, source in _MADE.items()),
    declined(
        "object-made-by-a-new-of-its-own",
        module(_dist(more="\n    def __new__(cls, *args):\n        return super().__new__(cls)\n") + _maker()),
        "defines __new__",
    ),
    declined(
        "object-held-that-computes-in-its-constructor",
        module(
            _dist()
            + _net("self.dist = Dist(self.fc(x))\n        return self.dist.sample()", "self.dist = Dist(torch.ones(4))")
        ),
        "before the object can use modules",
    ),
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
        "no module that holds one is known",
    ),
)

# Values that a table of the class, of an object or of its holder gives: each would be another after the fix.
_TABLES = {
    "class-vars": "len(vars(Coder))",
    "class-dict": "len(Coder.__dict__)",
    "class-of-an-object": "len(type(net.coder).__dict__)",
    "dir": "len(dir(net.coder))",
    "members": "len(inspect.getmembers(net.coder))",
    "hooks": "len(net._forward_pre_hooks)",
    "hooks-in-the-dict": "len(net.__dict__['_forward_pre_hooks'])",
    "hooks-by-get": "len(net.__dict__.get('_forward_pre_hooks'))",
    "hooks-of-all-tables": "sum(len(v) for v in net.__dict__.values() if isinstance(v, dict))",
    "hooks-beside-tensors": "sum(len(v) for v in vars(net).values() if isinstance(v, (torch.Tensor, dict)))",
    "hooks-by-any-key": "sum(len(net.__dict__[key]) for key in ['_forward_pre_hooks'])",
    "key-of-the-class": "sum(name in Coder.__dict__ for name in ('exp', 'mul', 'qprep_exp'))",
    "through-a-local": "len(vars(kind))",
    "in-a-helper": "count(Coder)",
}
# What copies, pickles and comparisons see of an object stays as it was.
_OWN = {
    "copy": "copy.deepcopy(net.coder).k",
    "pickle": "pickle.loads(pickle.dumps(net.coder.k))",
    "equal": "int(net.coder == net.coder) + 1",
    "attribute": "net.coder.k",
    "key": "net.__dict__['training'] + net.coder.__dict__['k']",
    "key-by-get": "vars(net).get('training') + net.coder.__dict__.get('k')",
    "has-key": "('coder' in net.__dict__) + ('k' in vars(net.coder))",
    "has-any-key": "sum(name in net.__dict__ for name in ('exp', 'mul', 'coder'))",
    "tensors": "len([k for k, v in net.__dict__.items() if torch.is_tensor(v)])",
    "tensors-by-class": "len([v for v in vars(net).values() if isinstance(v, torch.Tensor) and v.dim()])",
}


def _looked_at(value: str) -> str:
    return (
        "import copy\nimport inspect\nimport pickle\n"
        + module(_CODER.format("") + "\n\ndef count(cls):\n    return len(vars(cls))\n")
        + _net("return self.coder.decode(self.fc(x))", "self.coder = Coder()")
        + "\n\ndef example():\n    net = Net()\n    kind = Coder\n"
        + f"    net.fc.bias.data.fill_({value})\n    assert kind is Coder\n    return net, (torch.randn(2, 4),)\n"
    )


TABLES: tuple[Case, ...] = (
    *(declined(f"object-{name}", _looked_at(value), "not proven") for name, value in _TABLES.items()),
    *(prepared(f"object-{name}", _looked_at(value)) for name, value in _OWN.items()),
    declined(
        "object-with-any-attribute",
        module(
            _CODER.format("").replace(
                "    def decode", "    def __getattr__(self, name):\n        return 3.0\n\n    def decode", 1
            )
            + _net("return self.coder.decode(self.fc(x))", "self.coder = Coder()")
        ),
        "defines __getattr__",
    ),
)

CASES: dict[int, tuple[Case, ...]] = {6: (*PLAIN, *TABLES)}
