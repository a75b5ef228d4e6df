# ruff: noqa: E501 -- sources as short strings
"""7: one instance in several places at construction, or made once for whoever takes it."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared, untouched

_BLOCK = """
class Block(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = act

    def forward(self, x):
        return self.act(self.fc(x))
"""
_HOLDER = """
class Block(nn.Module):
    act = nn.LeakyReLU()

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        {init}

    def forward(self, x):
        {body}
"""
_DEFAULT = """
class Block(nn.Module):
    def __init__(self, act={default}):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = act

    def forward(self, x):
        return self.act(self.fc(x))
"""
_SWISH = """
class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


"""
_COUNT = """
class Count(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = 0

    def forward(self, x):
        self.n = self.n + 1
        return x + self.n


"""
_OVER = "for layer in self.layers:\n    x = layer(x)\nreturn self.fc(x)"
_GLOBAL = "ACT = nn.LeakyReLU()\n\n\nclass Block(nn.Module):\n    def forward(self, x):\n        return ACT(x)\n"
_LATER = """

def example():
    net = Net()
    ACT.negative_slope = 0.5
    return net, (torch.randn(2, 4),)
"""


def _two(block: str, made: str = "Block(), Block()", before: str = "") -> str:
    return module(
        f"{before}{block}\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.a, self.b = {made}\n\n    def forward(self, x):\n        return self.b(self.a(x))\n"
    )


_OF_ALL = module("""
class Block(nn.Module):
    default_act = nn.LeakyReLU()

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = self.default_act

    def forward(self, x):
        return self.act(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Block(), Block()
        for block in (self.first,):
            {}

    def forward(self, x):
        return self.second(self.first(x))
""")


def _held(body: str = "return self.act(self.fc(x))", init: str = "pass") -> str:
    return _two(_HOLDER.format(body=body, init=init))


REPEATED: tuple[Case, ...] = (
    declined(
        "list-unpacked-twice",
        net(
            "return self.body(x)",
            "layers = [nn.Linear(4, 4), nn.ReLU()]\nself.body = nn.Sequential(*layers, nn.Tanh(), *layers)",
        ),
        "create a second list",
    ),
    prepared("list-repeated", net(_OVER, "act, n = nn.ReLU(), 3\nself.layers = nn.ModuleList([act] * n)")),
    prepared("number-times-list", net(_OVER, "self.layers = nn.ModuleList(3 * [nn.ReLU()])")),
    prepared(
        "list-repeated-and-unpacked", net("return self.net(self.fc(x))", "self.net = nn.Sequential(*[nn.ReLU()] * 3)")
    ),
    prepared(
        "tuple-repeated-and-unpacked", net("return self.net(self.fc(x))", "self.net = nn.Sequential(*(nn.ReLU(),) * 3)")
    ),
    untouched("list-repeated-once", net(_OVER, "self.layers = nn.ModuleList([nn.ReLU()] * 1)")),
    untouched("numbers-repeated", net("return self.fc(x)", "self.sizes = [4] * 3")),
    declined(
        "layers-repeated",
        net(_OVER, "self.layers = nn.ModuleList([nn.Linear(4, 4)] * 3)"),
        "has or may have parameters",
    ),
    declined(
        "blocks-repeated",
        net("return self.net(x)", "self.net = nn.Sequential(*[Block(nn.ReLU())] * 3)", extra=_BLOCK),
        "has or may have parameters",
    ),
    declined(
        "list-repeated-in-place",
        net("return self.net(self.fc(x))", "layers = [nn.ReLU()]\nlayers *= 2\nself.net = nn.Sequential(*layers)"),
        "repeated in place",
    ),
    prepared(
        "comprehension-of-one", net(_OVER, "act = nn.ReLU()\nself.layers = nn.ModuleList([act for _ in range(3)])")
    ),
    untouched("comprehension-of-new-ones", net(_OVER, "self.layers = nn.ModuleList([nn.ReLU() for _ in range(3)])")),
    declined(
        "comprehension-of-one-layer",
        net(_OVER, "self.layers = nn.ModuleList([self.fc for _ in range(3)])"),
        "has or may have parameters",
    ),
    declined("plain-list", net(_OVER, "self.act = nn.ReLU()\nself.layers = [self.act, self.act]"), "nn.ModuleList"),
    declined("plain-list-repeated", net(_OVER, "self.act = nn.ReLU()\nself.layers = [self.act] * 3"), "nn.ModuleList"),
)

_BRANCHES = """
class Net(nn.Module):
    def __init__(self, gated=True):
        super().__init__()
        {made}
        self.blocks = nn.ModuleList()
        for _ in range(2):
            layers = []
            layers += [nn.Linear(4, 8 if gated else 4), nn.Identity(), act]
            self.blocks.append(nn.Sequential(*layers))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
"""

ON_BRANCHES: tuple[Case, ...] = (
    prepared(
        "one-of-two-instances",
        module(
            _BRANCHES.format(made="if gated:\n            act = nn.GLU()\n        else:\n            act = nn.ReLU()")
        ),
    ),
    prepared("one-of-two-in-one-expression", module(_BRANCHES.format(made="act = nn.GLU() if gated else nn.ReLU()"))),
    prepared(
        "one-that-holds-words-and-numbers",
        module("""
class Up(nn.Module):
    def __init__(self, scale: float, mode: str = "bilinear"):
        super().__init__()
        self.scale = scale
        self.mode = mode
        self.dims = (2, 3)

    def forward(self, x):
        return F.interpolate(x, scale_factor=self.scale, mode=self.mode).sum(self.dims)[..., None, None]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        up = Up(2.0)
        self.up = nn.Sequential()
        self.up.add_module("first", up)
        self.up.add_module("second", up)

    def forward(self, x):
        return self.up(x)
"""),
    ),
    untouched(
        "a-number-looked-up",
        module("""
def parse(d):
    width = d.get("width", 4)
    layers = []
    for i in range(2):
        args = [i]
        args.extend([width, 4])
        layers.append(nn.Linear(*args[1:]))
    return nn.Sequential(*layers)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = parse({})

    def forward(self, x):
        return self.net(x)
"""),
    ),
    prepared(
        "one-that-a-function-chooses",
        module("""
CHOICES = {"silu": nn.SiLU, "relu": nn.ReLU}


def get_activation(name):
    if name in CHOICES:
        return CHOICES[name]()
    raise ValueError(name)


class Net(nn.Module):
    def __init__(self, act="relu"):
        super().__init__()
        act = get_activation(act)
        self.conv = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)

    def forward(self, x):
        return self.conv(x)
"""),
    ),
    prepared(
        "one-with-parameters-on-another-branch",
        module("""
class Net(nn.Module):
    def __init__(self, soft=True):
        super().__init__()
        act = nn.ReLU()
        self.first = nn.Sequential(nn.Linear(4, 4), act)
        if soft:
            act = nn.PReLU()
        self.second = nn.Sequential(nn.Linear(4, 4), act)

    def forward(self, x):
        return self.second(self.first(x))
"""),
    ),
    declined(
        "one-that-is-given-on-another-branch",
        module("""
class Net(nn.Module):
    def __init__(self, last=None):
        super().__init__()
        act = nn.ReLU()
        self.first = nn.Sequential(nn.Linear(4, 4), act)
        if last is not None:
            act = last
        self.act = act

    def forward(self, x):
        return self.act(self.first(x))
"""),
        "parameters",
    ),
)

NAMED: tuple[Case, ...] = (
    prepared(
        "dict",
        net(
            "return self.d['b'](self.fc(self.d['a'](x)))",
            "act = nn.ReLU()\nself.d = nn.ModuleDict({'a': act, 'b': act})",
        ),
    ),
    prepared(
        "pairs",
        net(
            "return self.net(x)",
            "act = nn.ReLU()\nself.net = nn.Sequential(OrderedDict([('a', act), ('b', nn.Linear(4, 4)), ('c', act)]))",
            extra="from collections import OrderedDict",
        ),
    ),
    prepared(
        "two-names-at-once", net("return self.b(self.fc(self.a(x)))", "act = nn.ReLU()\nself.a, self.b = act, act")
    ),
    prepared(
        "layer-under-two-names",
        net(
            "return self.decoder(self.encoder(x))",
            "self.decoder = nn.Sequential(nn.Linear(4, 4), nn.ReLU())\nself.encoder = self.decoder",
        ),
    ),
    declined(
        "layer-under-two-names-in-a-loop",
        net("for layer in (self.fc, self.fc2):\n    x = layer(x)\nreturn x", "self.fc2 = self.fc"),
        "has or may have parameters",
    ),
    declined(
        "layer-under-two-names-by-name",
        net("for name in ('fc', 'fc2'):\n    x = getattr(self, name)(x)\nreturn x", "self.fc2 = self.fc"),
        "has or may have parameters",
    ),
    untouched("layer-stored-again", net("return self.fc(x)", "self.fc = self.fc.double().float()")),
    prepared(
        "shallow-copy",
        net("return self.b(self.fc(self.a(x)))", "import copy\nself.a = nn.ReLU()\nself.b = copy.copy(self.a)"),
    ),
    prepared(
        "shallow-copy-of-a-block",
        net(
            "return self.b(self.a(x))",
            "import copy\nself.a = Block(nn.ReLU())\nself.b = copy.copy(self.a)",
            extra=_BLOCK,
        ),
    ),
    declined(
        "shallow-copy-changed",
        net(
            "return self.b(self.fc(self.a(x)))",
            "import copy\nself.a = nn.LeakyReLU()\nself.b = copy.copy(self.a)\nself.b.negative_slope = 0.5",
        ),
        "is changed after it is created",
    ),
    untouched(
        "deep-copy",
        net("return self.b(self.fc(self.a(x)))", "import copy\nself.a = nn.ReLU()\nself.b = copy.deepcopy(self.a)"),
    ),
)

DEFAULTS: tuple[Case, ...] = (
    prepared("default-of-a-class-of-ones-own", _two(_DEFAULT.format(default="Swish()"), before=_SWISH)),
    prepared(
        "default-beside-one-with-parameters", _two(_DEFAULT.format(default="nn.ReLU()"), "Block(), Block(nn.PReLU())")
    ),
    declined("default-with-parameters", _two(_DEFAULT.format(default="nn.PReLU()")), "has or may have parameters"),
    declined("default-that-counts", _two(_DEFAULT.format(default="Count()"), before=_COUNT), "keeps `n`"),
    prepared(
        "default-of-a-function",
        net(
            "return self.b(self.a(x))",
            "self.a, self.b = make(), make()",
            extra="def make(act=nn.ReLU()):\n    return nn.Sequential(nn.Linear(4, 4), act)",
        ),
    ),
    prepared(
        "default-through-super",
        _two(
            _BLOCK.replace("Block", "Base")
            + "\n\nclass Block(Base):\n    def __init__(self, act=nn.ReLU()):\n        super().__init__(act)\n"
        ),
    ),
    declined(
        "default-of-forward",
        module("class Net(nn.Module):\n    def forward(self, x, act=nn.ReLU()):\n        return act(x)\n"),
        "may refer to another module at run time",
    ),
)

OF_A_CLASS: tuple[Case, ...] = (
    prepared("class-attribute-run-twice", _held("return self.act(self.fc(self.act(x)))")),
    prepared(
        "class-attribute-in-a-loop", _held("for _ in range(2):\n            x = self.act(self.fc(x))\n        return x")
    ),
    prepared(
        "class-attribute-in-a-sequential", _held("return self.net(x)", "self.net = nn.Sequential(self.fc, self.act)")
    ),
    prepared("class-attribute-with-parameters", _held().replace("LeakyReLU", "PReLU")),
    prepared(
        "class-attribute-of-two-classes",
        _two(
            _HOLDER.format(body="return self.act(self.fc(x))", init="pass").replace("Block", "Base")
            + "\n\nclass Block(Base):\n    act = nn.Tanh()\n"
        ),
    ),
    declined(
        "class-attribute-or-ones-own",
        _two(
            _HOLDER.format(body="return self.act(self.fc(x))", init="pass").replace("Block", "Base")
            + "\n\nclass Block(Base):\n    def __init__(self):\n        super().__init__()\n        self.act = nn.Tanh()\n"
        ),
        "in `Block.__init__`",
    ),
    prepared("class-attribute-put-in-place-of-another", _OF_ALL.format("block.act = Block.default_act")),
    declined(
        "class-attribute-changed-where-it-is-held",
        _OF_ALL.format("block.act.negative_slope = 0.5"),
        "is set or changed outside the class",
    ),
    declined(
        "class-attribute-changed-where-it-is-fetched",
        _OF_ALL.format("block.get_submodule('act').negative_slope = 0.5"),
        "is set or changed outside the class",
    ),
    declined("class-attribute-changed", _held(init="self.act.negative_slope = 0.5"), "is changed after it is created"),
)

OF_A_FILE: tuple[Case, ...] = (
    prepared("global-in-forward", net("return ACT(self.fc(ACT(x)))", extra="ACT = nn.ReLU()")),
    prepared(
        "global-in-a-function",
        _two(
            "ACT = nn.ReLU()\n\n\ndef step(x):\n    return ACT(x) + 1\n\n\nclass Block(nn.Module):\n    def forward(self, x):\n        return step(step(x))\n"
        ),
    ),
    prepared(
        "global-of-another-file",
        {
            "acts.py": "from torch import nn\n\nACT = nn.ReLU()\n",
            "model.py": _two(_BLOCK, "Block(ACT), Block(ACT)", "from acts import ACT\n\n"),
        },
    ),
    prepared(
        "global-dict",
        _two(_BLOCK, "Block(ACTS['relu']), Block(ACTS['relu'])", "ACTS = {'relu': nn.ReLU(), 'tanh': nn.Tanh()}\n\n"),
    ),
    prepared(
        "global-module-dict",
        _two(
            _BLOCK,
            "Block(ACTS['relu']), Block(ACTS['relu'])",
            "ACTS = nn.ModuleDict({'relu': nn.ReLU(), 'tanh': nn.Tanh()})\n\n",
        ),
    ),
    prepared(
        "global-dict-behind-a-function",
        _two(
            _BLOCK,
            "Block(get('relu')), Block(get('relu'))",
            "ACTS = {'relu': nn.ReLU(), 'tanh': nn.Tanh()}\n\n\ndef get(name):\n    return ACTS[name]\n\n",
        ),
    ),
    declined(
        "global-dict-with-parameters",
        _two(
            _BLOCK, "Block(ACTS['prelu']), Block(ACTS['prelu'])", "ACTS = {'relu': nn.ReLU(), 'prelu': nn.PReLU()}\n\n"
        ),
        "has or may have parameters",
    ),
    untouched("global-class", _two(_BLOCK, "Block(ACT()), Block(ACT())", "ACT = nn.ReLU\n\n")),
    untouched("global-lambda", _two(_BLOCK, "Block(make()), Block(make())", "make = lambda: nn.ReLU()\n\n")),
    untouched(
        "global-dict-of-lambdas",
        _two(
            _BLOCK,
            "Block(ACTS['relu']()), Block(ACTS['relu']())",
            "ACTS = {'relu': lambda: nn.ReLU(), 'tanh': nn.Tanh}\n\n",
        ),
    ),
    declined("global-changed", _two(_GLOBAL) + _LATER, "`ACT` is changed"),
)

_SEQUENTIAL = "nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)"
_BUILT = "\n\ndef example():\n    return build(), (torch.randn(2, 4),)\n"

OUTSIDE: tuple[Case, ...] = (
    prepared("made-by-a-function", module(f"def build():\n    act = nn.ReLU()\n    return {_SEQUENTIAL}\n" + _BUILT)),
    prepared("given-to-a-function", module(f"def build(act=nn.ReLU()):\n    return {_SEQUENTIAL}\n" + _BUILT)),
    prepared(
        "made-by-the-file",
        module(
            f"torch.manual_seed(0)\nact = nn.ReLU()\nmodel = {_SEQUENTIAL}\n\n\n"
            "def example():\n    return model, (torch.ones(2, 4),)\n"
        ),
    ),
    untouched(
        "made-by-the-file-for-one-place",
        module(
            "torch.manual_seed(0)\nact = nn.ReLU()\nmodel = nn.Sequential(nn.Linear(4, 4), act)\n\n\n"
            "def example():\n    return model, (torch.ones(2, 4),)\n"
        ),
    ),
)

METHOD_NAMES: tuple[Case, ...] = (
    prepared(
        "names-of-container-methods",
        net(
            "v, k = self.values(x), self.keys(x)\nfor _ in range(2):\n    v = self.items(self.update(v)) + k\nreturn self.pop(v)",
            "self.values, self.keys = nn.Linear(4, 4), nn.Linear(4, 4)\nself.update, self.items = nn.Linear(4, 4), nn.ReLU()\nself.pop = nn.Linear(4, 4)",
        ),
    ),
)

WEIGHTS: tuple[Case, ...] = (
    prepared(
        "spectral-norm-twice",
        net("return self.a(self.a(x))", "self.a = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))"),
    ),
    prepared(
        "weight-norm-of-a-block",
        net(
            "return self.a(self.a(x))",
            "self.a = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.ReLU())",
        ),
    ),
)

CASES = {7: REPEATED + ON_BRANCHES + NAMED + DEFAULTS + OF_A_CLASS + OF_A_FILE + OUTSIDE + METHOD_NAMES, 9: WEIGHTS}
