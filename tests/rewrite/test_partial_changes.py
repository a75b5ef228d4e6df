"""Programs that change the mode of one module alone, use items of own containers, or define operations by their own."""

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
    "mode-by-assignment": _DROPPING.replace("CHANGE", "net.training = False"),
    "mode-by-setattr": _DROPPING.replace("CHANGE", 'setattr(net, "training", False)'),
    "mode-by-dictionary": _DROPPING.replace("CHANGE", 'vars(net)["training"] = False'),
    "mode-by-own-method": _DROPPING.replace("CHANGE", "net.freeze()"),
    "length-of-item": _RESIDUAL.replace("COUNT", "len(net.blocks[0])"),
    "length-of-attribute": _RESIDUAL.replace("COUNT", "len(net.first)"),
    "length-in-loop": _RESIDUAL.replace("COUNT", "[len(block) for block in net.blocks]"),
    "length-in-function": _RESIDUAL.replace("COUNT", "depth(net.blocks[1])"),
    "item-of-item": _RESIDUAL.replace("COUNT", "float(isinstance(net.blocks[0][-1], nn.Linear))"),
    "own-method": _OWN.replace("EXPRESSION", "x.relu()"),
    "own-operator": _OWN.replace("EXPRESSION", "x + 1"),
    "own-operator-by-function": _OWN.replace("EXPRESSION", "torch.add(x, x)"),
}

FIXED = {
    "mode-of-a-part": _DROPPING.replace("CHANGE", "net.fc.training = False").replace("self.training = False", "pass"),
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
