"""Operations under a quantization method that decorates forward: the quantizer's, so nothing is said of them."""

from __future__ import annotations

from pathlib import Path

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.rule_registry import all_rules

METHODS = """\
from qprep.quantizer import forward_method


@forward_method
def rounded(module, forward, input):
    return forward(input.round())


def plain(function):
    return function
"""
MODEL = """\
import torch.nn.functional as F
from torch import nn
from methods import plain, rounded
from qprep import quantizer


class Owned(nn.Conv2d):
    @rounded
    def forward(self, input):
        return F.relu(super().forward(input))


class Inherits(Owned):
    pass


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.own, self.also = Owned(3, 3, 3), Inherits(3, 3, 3)

    @quantizer.forward_method(lambda module, forward, x: forward(x))
    def forward(self, x):
        return F.gelu(self.own(x) + self.also(x))


class Another(Owned):
    def forward(self, input):
        return F.silu(F.selu(input))


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.own = Owned(3, 3, 3)

    @plain
    def forward(self, x):
        return F.mish(self.own(x))
"""


def test_what_a_method_decorates_is_owned(tmp_path: Path) -> None:
    (tmp_path / "methods.py").write_text(METHODS)
    path = tmp_path / "net.py"
    path.write_text(MODEL)
    found = runs.check([path], SettingsResolver(all_rules(), isolated=True)).findings
    assert [each.message.split("`")[1].rpartition(".")[2] for each in found] == ["silu", "selu", "mish"]
