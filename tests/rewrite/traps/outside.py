"""Objects that other code changes, replaces or makes past their constructor (7, 12, 16)."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_TWICE = "return self.act(self.fc(self.act(x)))"
_CHANGED = "set or changed outside the class"


def _made(how: str, forward: str = _TWICE, init: str = "self.act = nn.LeakyReLU(0.5)") -> str:
    """A model that `example` makes, and does something to."""
    return (
        f"{net(forward, init)}\n\ndef example():\n    made = Net()\n    {how}\n    return made, (torch.randn(2, 4),)\n"
    )


REUSED: tuple[Case, ...] = (
    declined("replaced-from-outside", _made("made.act = nn.SiLU()"), _CHANGED),
    declined("replaced-by-its-name", _made("setattr(made, 'act', nn.SiLU())"), _CHANGED),
    declined("changed-from-outside", _made("made.act.negative_slope = 0.1"), _CHANGED),
    declined("hooked-from-outside", _made("made.act.register_forward_hook(lambda m, i, o: o * 2)"), _CHANGED),
    declined(
        "replaced-in-another-file",
        {
            "block.py": net(_TWICE, "self.act = nn.ReLU()").replace("Net", "Block"),
            "model.py": "from torch import nn\n\nfrom block import Block\n\n\nclass Net(nn.Module):\n"
            "    def __init__(self):\n        super().__init__()\n        self.block = Block()\n"
            "        self.block.act = nn.SiLU()\n\n    def forward(self, x):\n        return self.block(x)\n",
        },
        _CHANGED,
    ),
    declined(
        "hooked-in-the-constructor",
        net(_TWICE, "self.act = nn.ReLU()\nself.act.register_forward_hook(lambda m, i, o: o * 2)"),
        _CHANGED,
    ),
    declined(
        "other-name-of-a-changed-one",
        net(
            "return self.b(self.fc(self.a(x)))",
            "self.a = nn.LeakyReLU(0.1)\nself.b = self.a\nself.a.negative_slope = 0.6",
        ),
        "is changed after it is created",
    ),
    declined(
        "hooked-and-handed-on",
        net(
            "return self.body(x)",
            "act = nn.ReLU()\nact.register_forward_hook(lambda m, i, o: o + 1)\n"
            "self.body = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)",
        ),
        "has a hook",
    ),
    prepared(
        "weights-tied-afterwards",
        net("return self.b(self.fc(self.b(x)))", "self.b = nn.Linear(4, 4)\nself.b.weight = self.fc.weight"),
    ),
)

_DROP = "return F.dropout(self.fc(x), 0.5, self.training) + x"
_STILL = """

class Still(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def train(self, mode=True):
        return self

    def forward(self, x):
        return self.net(x)
"""

MODES: tuple[Case, ...] = (
    prepared("eval-in-the-constructor", net(_DROP, "self.eval()") + _STILL),
    prepared("flag-set-in-the-constructor", net(_DROP, "self.training = False") + _STILL),
    prepared("flag-set-from-outside", _made("made.training = False", _DROP)),
    prepared(
        "train-sets-the-flag-alone",
        net(_DROP) + "\n    def train(self, mode=True):\n        self.training = mode\n        return self\n",
    ),
)

_BARE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    {}

    def forward(self, x):
        return F.relu(self.fc(x)) + x


def example():
    return {}, (torch.randn(2, 4),)
"""

MADE: tuple[Case, ...] = (
    declined(
        "made-by-new",
        module(
            _BARE.format(
                "@classmethod\n    def around(cls, fc):\n        made = cls.__new__(cls)\n"
                "        nn.Module.__init__(made)\n        made.fc = fc\n        return made",
                "Net.around(nn.Linear(4, 4))",
            )
        ),
        "__new__",
    ),
    declined(
        "restored-by-hand",
        module(
            _BARE.format(
                "def __setstate__(self, state):\n        nn.Module.__init__(self)\n        self.fc = state['fc']\n\n"
                "    def __getstate__(self):\n        return {'fc': self.fc}",
                "__import__('copy').deepcopy(Net())",
            )
        ),
        "__getstate__",
    ),
    prepared(
        "restored-as-it-was",
        module(
            _BARE.format(
                "def __setstate__(self, state):\n        super().__setstate__(state)\n        self.old = True",
                "__import__('copy').deepcopy(Net())",
            )
        ),
    ),
    declined(
        "attributes-watched-by-a-base",
        module("""
class Fixed(nn.Module):
    def __setattr__(self, name, value):
        if name not in ("fc", "training"):
            raise AttributeError(name)
        super().__setattr__(name, value)


class Net(Fixed):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""),
        "__setattr__",
    ),
    prepared(
        "no-constructor-in-a-diamond",
        module("""
class Base(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, 4)


class Left(Base):
    def forward(self, x):
        return F.relu(self.fc(x)) + x


class Right(Base):
    def __init__(self, n, by):
        super().__init__(n)
        self.by = by


class Net(Left, Right):
    pass


def example():
    return Net(4, by=3), (torch.randn(2, 4),)
"""),
    ),
    prepared(
        "constructor-beside-nn-module",
        module("""
class Scaled:
    def __init__(self, by=2):
        super().__init__()
        self.by = by


class Net(nn.Module, Scaled):
    call_super_init = True

    def forward(self, x):
        return x * self.by + x


def example():
    return Net(3), (torch.randn(2, 4),)
"""),
    ),
)

CASES = {7: REUSED, 12: MODES, 16: MADE}
