"""Programs that change the mode of one module alone, use items of own containers, or define operations themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.reached_models import IMPORTS, assert_bit_equal, fixed_outcomes

_DROPPING = f"""{IMPORTS}
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def freeze(self):
        self.training = False

    def forward(self, x):
        return F.dropout(self.fc(x), 0.5, training=self.training)


def outcome():
    net = Net()
    CHANGE
    return [net(torch.ones(2, 8))]
"""

_PLAIN = _DROPPING.replace("self.training = False", "pass")

_RESIDUAL = f"""{IMPORTS}

class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Residual(nn.Linear(8, 8)), Residual(nn.Linear(8, 8)))
        self.first = self.blocks[0]

    def forward(self, x):
        return self.blocks(x)


def depth(block):
    return len(block)


def outcome():
    net = Net()
    return [net(torch.ones(2, 8)), torch.tensor([COUNT])]
"""

_OWN = f"""{IMPORTS}

class Marked(torch.Tensor):
    def relu(self):
        return self * 5

    def __add__(self, other):
        return torch.Tensor.__add__(self, other) * 2


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x = self.fc(x)
        return EXPRESSION


def outcome():
    return [Net()(torch.ones(2, 4).as_subclass(Marked)).as_subclass(torch.Tensor)]
"""

PROGRAMS = {
    "mode-by-assignment": _PLAIN.replace("CHANGE", "net.training = False"),
    "mode-by-setattr": _PLAIN.replace("CHANGE", 'setattr(net, "training", False)'),
    "mode-by-dictionary": _PLAIN.replace("CHANGE", 'vars(net)["training"] = False'),
    "mode-by-dictionary-update": _PLAIN.replace("CHANGE", "net.__dict__.update(training=False)"),
    "mode-by-computed-name": _PLAIN.replace(
        "CHANGE", 'for name, value in {"training": False}.items():\n        setattr(net, name, value)'
    ),
    "mode-by-keyword": _PLAIN.replace(
        "def outcome():",
        "def configure(module, **values):\n    for name, value in values.items():\n"
        "        setattr(module, name, value)\n\n\ndef outcome():",
    ).replace("CHANGE", "configure(net, training=False)"),
    "mode-by-setter-of-subclass": _PLAIN.replace(
        "def outcome():",
        "class Frozen(Net):\n    def __setattr__(self, name, value):\n"
        "        super().__setattr__(name, False if name == 'training' else value)\n\n\ndef outcome():",
    )
    .replace("net = Net()", "net = Frozen()")
    .replace("CHANGE", "net.train()"),
    "mode-by-own-method": _DROPPING.replace("CHANGE", "net.freeze()"),
    "length-of-item": _RESIDUAL.replace("COUNT", "len(net.blocks[0])"),
    "length-of-attribute": _RESIDUAL.replace("COUNT", "len(net.first)"),
    "length-in-loop": _RESIDUAL.replace("COUNT", "[len(block) for block in net.blocks]"),
    "length-in-function": _RESIDUAL.replace("COUNT", "depth(net.blocks[1])"),
    "length-of-item-taken-out": _RESIDUAL.replace("COUNT", "len(net.blocks.pop(0))"),
    "length-of-part": _RESIDUAL.replace("COUNT", "[len(a) + len(b) for a, b in [net.blocks]][0]"),
    "length-of-part-of-list": _RESIDUAL.replace(
        "return [net(", "first, second = list(net.blocks)\n    return [net("
    ).replace("COUNT", "len(first)"),
    "length-by-map": _RESIDUAL.replace("COUNT", "sum(map(len, net.blocks))"),
    "length-as-key": _RESIDUAL.replace("COUNT", "len(max([net.blocks[0], [1]], key=len))"),
    "length-of-named-child": _RESIDUAL.replace("COUNT", "len(dict(net.named_children())['blocks'][0])"),
    "length-of-found-child": _RESIDUAL.replace("COUNT", 'len(net.get_submodule("blocks.0"))'),
    "length-by-own-list": _RESIDUAL.replace(
        "def depth(block)", "def list(net):\n    return net.blocks[0]\n\n\ndef depth(block)"
    ).replace("COUNT", "len(list(net))"),
    "item-of-item": _RESIDUAL.replace("COUNT", "float(isinstance(net.blocks[0][-1], nn.Linear))"),
    "own-method": _OWN.replace("EXPRESSION", "x.relu()"),
    "own-operator": _OWN.replace("EXPRESSION", "x + 1"),
    "own-method-from-base": _OWN.replace("class Marked(torch.Tensor)", "class Kind")
    .replace("class Net", "class Marked(Kind, torch.Tensor):\n    pass\n\n\nclass Net")
    .replace("EXPRESSION", "x.relu()"),
    "own-method-set-later": _OWN.replace(
        "def outcome():", "Marked.sigmoid = lambda self: self * 7\n\n\ndef outcome():"
    ).replace("EXPRESSION", "x.sigmoid()"),
    "own-method-by-decorator": _OWN.replace(
        "class Marked",
        "def mark(cls):\n    setattr(cls, 'sigmoid', lambda self: self * 7)\n    return cls\n\n\n@mark\nclass Marked",
    ).replace("EXPRESSION", "x.sigmoid()"),
    "own-lookup": _OWN.replace(
        "    def relu(self):\n        return self * 5",
        "    def __getattribute__(self, name):\n"
        "        return super().__getattribute__('tanh' if name == 'sigmoid' else name)",
    ).replace("EXPRESSION", "x.sigmoid()"),
    "own-operator-by-function": _OWN.replace("EXPRESSION", "torch.add(x, x)"),
}

FIXED = {
    "mode-of-a-part": _PLAIN.replace("CHANGE", "net.fc.training = False"),
    "length-of-list": _RESIDUAL.replace("COUNT", "len(net.blocks)").replace("return len(block)", "return block"),
    "other-operation": _OWN.replace("EXPRESSION", "x.sigmoid()"),
}


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=list(PROGRAMS))
def test_a_safe_fix_keeps_what_the_program_computes(source: str, tmp_path: Path) -> None:
    _, before, after = fixed_outcomes({"model.py": source}, tmp_path)
    assert_bit_equal(before, after)


@pytest.mark.parametrize("source", FIXED.values(), ids=list(FIXED))
def test_code_that_sees_no_difference_is_fixed(source: str, tmp_path: Path) -> None:
    result, before, after = fixed_outcomes({"model.py": source}, tmp_path)
    assert len(result.changed) == 1
    assert_bit_equal(before, after)
