# ruff: noqa: E501 -- sources as short strings
"""9: a module that runs twice, and is changed after it was made."""

from __future__ import annotations

import textwrap

from tests.rewrite.cases import Case, declined, module, net, prepared

_TWICE = "return self.body(self.body(x))"
_BODY = "self.body = nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU())"
_RESET = """

def example():
    net = Net()
    net.reset()
    return net, (torch.randn(2, 4),)
"""
_OUTER = """
class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.fc(self.act(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()
        self.inner.act = nn.Tanh()

    def forward(self, x):
        return self.inner(x)
"""
_SUBCLASS = """
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x):
        return self.body(self.body(x))


class Net(Base):
    def __init__(self):
        super().__init__()
        self.body[1] = nn.Tanh()
"""


def _later(change: str) -> str:
    return net(_TWICE, f"{_BODY}\n{change}")


def _method(forward: str, init: str, method: str) -> str:
    return net(forward, init) + "\n" + textwrap.indent(method, "    ") + "\n"


_ACT = "return self.act(self.fc(self.act(x)))"
_SWAP = "def reset(self):\n    for name in {}:\n        {}"

_CHOSEN = """\
def reset(self, wide=False):
    if wide:
        names = ["stem", "body"]
    elif self.training:
        names = {}
    else:
        raise ValueError(wide)
    for name in names:{}
        if hasattr(self, name):
            setattr(self, name, nn.SiLU())
            return"""


def _chosen(names: str, before: str = "") -> str:
    line = f"\n        {before}" if before else ""
    return _method(_ACT, "self.act = nn.ReLU()", _CHOSEN.format(names, line)) + _RESET


BY_NAME: tuple[Case, ...] = (
    prepared("others-set-by-names-of-a-chosen-list", _chosen("('head', 'tail')")),
    declined("set-by-names-of-a-chosen-list", _chosen("['head', 'act']"), "is changed after it is created"),
    declined(
        "set-by-names-of-a-list-that-grows",
        _chosen("['head']", "names.append('act') if len(names) < 3 else None"),
        "is changed after it is created",
    ),
    declined(
        "set-by-a-name-that-is-made-of-another",
        _chosen("['head']", "name = name.replace('head', 'act')"),
        "is changed after it is created",
    ),
    declined(
        "set-by-a-name-made-of-one-that-is-written-out",
        _method(_ACT, "self.act = nn.ReLU()", _SWAP.format("['a']", "name += 'ct'; setattr(self, name, nn.SiLU())"))
        + _RESET,
        "is changed after it is created",
    ),
    declined(
        "set-by-a-name-of-the-run",
        _method(_ACT, "self.act = nn.ReLU()", _SWAP.format("list({'act'})", "setattr(self, name, nn.SiLU())")) + _RESET,
        "is changed after it is created",
    ),
    declined(
        "set-by-a-name-of-a-list",
        _method(_ACT, "self.act = nn.ReLU()", _SWAP.format("['act']", "setattr(self, name, nn.SiLU())")) + _RESET,
        "is changed after it is created",
    ),
    declined(
        "put-among-the-modules-by-a-name-of-the-run",
        _method(_ACT, "self.act = nn.ReLU()", _SWAP.format("['act']", "self._modules[name] = nn.SiLU()")) + _RESET,
        "is changed after it is created",
    ),
    prepared(
        "others-set-by-names-that-are-written-out",
        _method(_ACT, "self.act = nn.ReLU()", _SWAP.format("('head', 'tail')", "setattr(self, name, nn.SiLU())"))
        + _RESET,
    ),
    prepared(
        "others-set-by-their-names",
        _method(_ACT, "self.act = nn.ReLU()", _SWAP.format("range(2)", "setattr(self, f'head{name}', nn.SiLU())"))
        + _RESET,
    ),
)

IN_THE_CONSTRUCTOR: tuple[Case, ...] = (
    prepared("item-appended", _later("self.body.append(nn.Tanh())")),
    prepared("item-added-by-name", _later("self.body.add_module('more', nn.Tanh())")),
    prepared("item-added-as-attribute", _later("self.body.more = nn.Tanh()")),
    prepared("items-set-in-a-loop", _later("for i in range(2):\n    setattr(self.body, f'more{i}', nn.Tanh())")),
    prepared("item-replaced", _later("self.body[1] = nn.Tanh()")),
    prepared("flag-of-an-item", _later("self.body[1].negative_slope = 0.5")),
    prepared("flags-in-a-loop", _later("for layer in self.body:\n    layer.negative_slope = 0.5")),
    prepared("changed-under-a-local-name", _later("body = self.body\nbody.append(nn.Tanh())")),
    prepared(
        "made-under-a-local-name", net(_TWICE, "body = nn.Sequential()\nself.body = body\nbody.append(nn.Tanh())")
    ),
    prepared(
        "changed-by-a-function",
        net(_TWICE, f"{_BODY}\nchange(self.body)", extra="def change(body):\n    body[1] = nn.Tanh()"),
    ),
    prepared(
        "flag-of-an-activation",
        net("return self.act(self.fc(self.act(x)))", "self.act = nn.LeakyReLU()\nself.act.negative_slope = 0.5"),
    ),
    prepared(
        "flag-of-an-activation-in-a-loop",
        net(
            "for _ in range(3):\n    x = self.act(self.fc(x))\nreturn x",
            "self.act = nn.LeakyReLU()\nself.act.negative_slope = 0.5",
        ),
    ),
    prepared(
        "flag-of-a-layer", net("return self.norm(self.norm(x))", "self.norm = nn.BatchNorm2d(4)\nself.norm.eps = 0.5")
    ),
    prepared(
        "weights-changed",
        _later(
            "nn.init.zeros_(self.body[0].weight)\nself.body[0].bias.data.fill_(1)\nself.body[0].weight.requires_grad = False"
        ),
    ),
    declined(
        "changed-in-a-branch",
        net(_TWICE, f"if True:\n    {_BODY}\n    self.body[1] = nn.Tanh()"),
        "is changed after it is created",
    ),
    declined("changed-by-a-subclass", module(_SUBCLASS), "is changed after it is created, in `Net.__init__`"),
    declined("changed-from-outside", module(_OUTER), "set or changed outside the class"),
)

IN_METHODS: tuple[Case, ...] = (
    declined(
        "built-by-a-method",
        _method(
            _TWICE,
            "self.body = nn.Sequential()\nself.build()",
            "def build(self):\n    self.body.append(nn.Linear(4, 4))",
        ),
        "in `Net.build`",
    ),
    declined(
        "kept-in-eval-mode",
        _method(
            _TWICE,
            "self.body = nn.Sequential(self.fc, nn.Dropout(0.5))",
            "def train(self, mode=True):\n    super().train(mode)\n    self.body.eval()\n    return self",
        ),
        "in `Net.train`",
    ),
    prepared(
        "norms-kept-in-eval-mode",
        _method(
            "return self.norm(self.norm(x))",
            "self.norm = nn.BatchNorm2d(4)",
            "def train(self, mode=True):\n    super().train(mode)\n    self.norm.eval()\n    return self",
        ),
    ),
    declined(
        "layer-made-again",
        _method("return self.fc(self.fc(x))", "", "def reset(self):\n    self.fc = nn.Linear(4, 4)") + _RESET,
        "in `Net.reset`",
    ),
    declined(
        "item-made-again",
        _method(_TWICE, _BODY, "def reset(self):\n    self.body[1] = nn.Tanh()") + _RESET,
        "in `Net.reset`",
    ),
    declined(
        "flag-set-by-a-method",
        _method(
            "return self.act(self.fc(self.act(x)))",
            "self.act = nn.LeakyReLU()",
            "def reset(self):\n    self.act.negative_slope = 0.5",
        )
        + _RESET,
        "in `Net.reset`",
    ),
)

_WALKED = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x)


def init(m):
    if isinstance(m, Block):
        nn.init.normal_(m.fc.weight)
"""

WALKED: tuple[Case, ...] = (
    prepared(
        "modules-counted",
        net(
            "return self.act(self.fc(self.act(x))) * self.n", "self.act = nn.ReLU()\nself.n = len(list(self.modules()))"
        ),
    ),
    prepared("blocks-initialised", net(_TWICE, "self.body = Block()\nself.apply(init)", extra=_WALKED)),
    prepared(
        "blocks-of-a-list-initialised",
        net(
            "for _ in range(2):\n    for block in self.body:\n        x = block(x)\nreturn x",
            "self.body = nn.ModuleList([Block(), Block()])\nfor m in self.modules():\n    init(m)",
            extra=_WALKED,
        ),
    ),
    declined(
        "block-of-a-branch-initialised",
        net(_TWICE, "if True:\n    self.body = Block()\nself.apply(init)", extra=_WALKED),
        "iterates over its modules",
    ),
    prepared(
        "layer-of-a-branch-initialised",
        net(
            "return self.fc2(self.fc2(x))", "if True:\n    self.fc2 = nn.Linear(4, 4)\nself.apply(init)", extra=_WALKED
        ),
    ),
)

CASES = {9: BY_NAME + IN_THE_CONSTRUCTOR + IN_METHODS + WALKED}
