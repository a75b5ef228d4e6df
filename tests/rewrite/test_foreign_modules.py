"""Modules of other packages at two places of forward: their classes are unknown before the code runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.reached_models import IMPORTS, assert_bit_equal, fixed_outcomes
from tests.rewrite.running import fix

_LAYERS = """\
import torch
from torch import nn


class DropPath(nn.Module):
    def __init__(self, p=0.0):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        return x * (torch.rand(x.shape[0], 1) + self.p)


class Wide(nn.Linear):
    def __init__(self, p=0.0):
        super().__init__(8, 8)
        self.inner = nn.Linear(8, 8)

    def forward(self, x):
        return self.inner(super().forward(x))


class Norm(nn.LayerNorm):
    def __init__(self, p=0.0):
        super().__init__(8)
"""
_MODEL = f"""{IMPORTS}
from foreign_layers import KIND


class Block(nn.Module):
    def __init__(self, drop):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.drop = MADE

    def forward(self, x):
        x = x + self.drop(self.fc(self.norm(x)))
        return x + self.drop(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(0.1), Block(0.0)])
        LOOP

    def _init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=0.02)
            if isinstance(m, nn.Linear) and m.bias is not None:
                nn.init.normal_(m.bias)
        elif isinstance(m, (nn.LayerNorm, nn.Conv2d)):
            nn.init.normal_(m.weight)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def outcome():
    net = Net()
    x = torch.ones(2, 8)
    return [net.train()(x), net.eval()(x), *net.state_dict().values()]
"""
_MADE = {
    "call": "KIND(drop)",
    "choice": "KIND(drop) if drop > 0.0 else nn.Identity()",
    "keyword": "KIND(p=drop)",
}
_LOOPS = {
    "apply": "self.apply(self._init)",
    "loop": "for m in self.modules():\n            self._init(m)",
    "named": "for name, m in self.named_modules():\n            self._init(m)",
}


@pytest.mark.parametrize("kind", ["DropPath", "Wide", "Norm"])
@pytest.mark.parametrize("loop", _LOOPS.values(), ids=_LOOPS.keys())
@pytest.mark.parametrize("made", _MADE.values(), ids=_MADE.keys())
def test_a_second_instance_of_an_unknown_class_is_met_by_no_layer_loop(
    made: str, loop: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "foreign_layers.py").write_text(_LAYERS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "package")
    model = _MODEL.replace("MADE", made).replace("LOOP", loop).replace("KIND", kind)
    result, before, after = fixed_outcomes({"model.py": model}, tmp_path)
    assert_bit_equal(before, after)
    text = (tmp_path / "after" / "model.py").read_text(encoding="utf-8")
    assert "another(self.drop, plain=True)" in text
    assert not [finding for finding in result.remaining if finding.code in ("QP201", "QP202")]


_SEEN = {
    "all": "for m in self.modules():\n            m.seen = len(list(self.modules()))",
    "recurrent": "self.count = sum(isinstance(m, nn.LSTM) for m in self.modules())",
}


@pytest.mark.parametrize("loop", _SEEN.values(), ids=_SEEN.keys())
def test_loops_over_other_modules_may_meet_it(loop: str, tmp_path: Path) -> None:
    model = _MODEL.replace("MADE", "KIND(drop)").replace("LOOP", loop).replace("KIND", "DropPath")
    (tmp_path / "model.py").write_text(model, encoding="utf-8")
    result = fix([tmp_path / "model.py"], write=False)
    left = [finding for finding in result.remaining if finding.code == "QP202"]
    assert left
