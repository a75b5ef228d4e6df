# ruff: noqa: E501 -- sources as short strings
"""16: constructors with branches, names made at run time, modules made in forward."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_FLAG = """
class Block(nn.Module):
    def __init__(self, wide):
        super().__init__()
        self.wide = wide
        self.fc = nn.Linear(4, 4)
        {init}

    def forward(self, x):
        {body}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Block(True), Block(False)

    def forward(self, x):
        return self.b(self.a(x))
"""

CONSTRUCTORS: tuple[Case, ...] = (
    prepared(
        "flag-in-forward",
        module(
            _FLAG.format(
                init="", body="y = self.fc(x)\n        if self.wide:\n            y = y + x\n        return F.relu(y)"
            )
        ),
    ),
    prepared(
        "layer-in-one-branch",
        module(
            _FLAG.format(
                init="if wide:\n            self.act = nn.ReLU()",
                body="y = self.fc(x)\n        if self.wide:\n            y = self.act(self.fc(self.act(y)))\n        return y * 2",
            )
        ),
    ),
    prepared(
        "none-in-one-branch",
        module(
            _FLAG.format(
                init="self.down = nn.Linear(4, 4) if wide else None",
                body="skip = x if self.down is None else self.down(x)\n        return F.relu(self.fc(x) + skip)",
            )
        ),
    ),
    prepared(
        "two-kinds-in-branches",
        module(
            _FLAG.format(
                init="if wide:\n            self.act = nn.ReLU()\n        else:\n            self.act = nn.Tanh()",
                body="return self.act(self.fc(self.act(x)))",
            )
        ),
    ),
    prepared(
        "optional-layer-run-twice",
        module(
            _FLAG.format(
                init="self.norm = nn.LayerNorm(4) if wide else None",
                body="if self.norm is not None:\n            x = self.norm(self.fc(self.norm(x)))\n        return x",
            )
        ),
    ),
    prepared("added-by-name", net("return self.extra(self.fc(x)) + x", "self.add_module('extra', nn.ReLU())")),
    prepared("set-by-name", net("return self.extra(self.fc(x)) + x", "setattr(self, 'extra', nn.ReLU())")),
    prepared(
        "numbered-by-name",
        net(
            "for i in range(2):\n    x = getattr(self, f'conv{i}')(x) + x\nreturn self.fc(x)",
            "for i in range(2):\n    setattr(self, f'conv{i}', nn.Linear(4, 4))",
        ),
    ),
    prepared(
        "numbered-by-add-module",
        net(
            "for i in range(2):\n    x = F.relu(getattr(self, 'conv%d' % i)(x))\nreturn self.fc(x)",
            "for i in range(2):\n    self.add_module('conv%d' % i, nn.Linear(4, 4))",
        ),
    ),
    prepared(
        "return-in-the-constructor",
        module("""
class Net(nn.Module):
    def __init__(self, small=True):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        if small:
            return
        self.more = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x))
"""),
    ),
    prepared(
        "model-run-in-the-constructor",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        with torch.no_grad():
            self.size = self.forward(torch.zeros(1, 4)).shape[-1]

    def forward(self, x):
        return F.relu(self.fc(x))
"""),
    ),
    prepared(
        "layers-made-in-a-method",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.build()

    def build(self):
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.fc(self.act(x))) + x
"""),
    ),
    prepared(
        "other-name-for-self",
        module("""
class Net(nn.Module):
    def __init__(this):
        super().__init__()
        this.fc = nn.Linear(4, 4)

    def forward(me, x):
        return F.relu(me.fc(x)) + x
"""),
    ),
    prepared(
        "constructor-on-one-line",
        module("""
class Net(nn.Module):
    def __init__(self): super().__init__(); self.fc = nn.Linear(4, 4)
    def forward(self, x): return F.relu(self.fc(x)) + x
"""),
    ),
    prepared(
        "constructor-ending-in-a-loop",
        net("return F.relu(self.fc(x)) + x", "for p in self.parameters():\n    nn.init.uniform_(p)"),
    ),
    prepared(
        "constructor-ending-in-a-with",
        net("return F.relu(self.fc(x)) + x", "with torch.no_grad():\n    self.fc.weight.mul_(2)"),
    ),
    prepared(
        "nested-class",
        module("""
class Net(nn.Module):
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return F.relu(self.fc(x)) + x

    def __init__(self):
        super().__init__()
        self.inner = Net.Inner()

    def forward(self, x):
        return self.inner(x) * 2
"""),
    ),
    declined(
        "dataclass",
        module("""
from dataclasses import dataclass


@dataclass(eq=False)
class Net(nn.Module):
    width: int = 4

    def __post_init__(self):
        super().__init__()
        self.fc = nn.Linear(self.width, self.width)

    def forward(self, x):
        return F.relu(self.fc(x))
"""),
        "dataclass",
    ),
    prepared(
        "one-operation-beside-blocks-that-are-handed-in",
        module("""
class Joined(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.blocks = blocks

    def forward(self, x):
        y = self.blocks[0](x)
        return torch.cat((x, y), dim=-1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        blocks = nn.Sequential()
        for i in range(2):
            blocks.add_module(f"block{i}", nn.Linear(4, 4))
        self.joined = Joined(blocks)

    def forward(self, x):
        return self.joined(x)
"""),
    ),
)

CASES = {16: CONSTRUCTORS}
