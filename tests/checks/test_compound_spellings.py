"""A compound module is found however the file names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.rule_registry import all_rules

MODEL = """\
{}


class Net(Module):
    def __init__(self):
        super().__init__()
        self.rnn = {}

    def forward(self, x):
        return self.rnn(x)[0]
"""


@pytest.mark.parametrize(
    ("imports", "made"),
    [
        ("import torch\nModule = torch.nn.Module", "torch.nn.LSTM(4, 4)"),
        ("from torch.nn import LSTM, Module", "LSTM(4, 4)"),
        ("from torch.nn import Module, LSTM as Recurrent", "Recurrent(4, 4)"),
        ("from torch.nn import *", "LSTM(4, 4)"),
        ("from torch import nn\nfrom torch.nn import Module", "nn . LSTM(4, 4)"),
        ("import torch\nModule = torch.nn.Module", 'getattr(torch.nn, "lstm".upper())(4, 4)'),
        ("import torch.nn as layers\nModule = layers.Module", 'getattr(layers, "LSTM")(4, 4)'),
        ("from torch import nn as layers\nModule = layers.Module", "layers.LSTM(4, 4)"),
    ],
)
def test_it_is_found(imports: str, made: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(MODEL.format(imports, made))
    found = runs.check([path], SettingsResolver(all_rules(), isolated=True)).findings
    assert [finding.code for finding in found] == ["QP401"]
