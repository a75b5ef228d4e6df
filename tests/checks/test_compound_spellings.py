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


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ("4, 4, bidirectional=True", ["QP401"]),  # only recurrent modules take it
        ("4, 4, 1, **rest, batch_first=True", ["QP401"]),
        ("4, 4", []),  # nn.Linear takes as many
        ("4, 4, 1, bias=True", []),  # nn.Conv2d too
        ("inplace=True", []),
        ("4, 4, rank=2", []),  # no class of torch.nn does
    ],
)
def test_arguments_say_what_a_name_that_is_not_known_may_be(arguments: str, codes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    source = MODEL.format("from torch import nn\nfrom torch.nn import Module", f"getattr(nn, kind)({arguments})")
    path.write_text(source.replace("(self):", "(self, kind, rest):"))
    found = runs.check([path], SettingsResolver(all_rules(), isolated=True)).findings
    assert [finding.code for finding in found] == codes
