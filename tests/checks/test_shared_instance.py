"""A finding on a shared instance names all the classes that it may be of."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.rule_registry import all_rules

MODEL = """\
from torch import nn


class Block(nn.Module):
    default_act = nn.SiLU()

    def __init__(self, plain):
        super().__init__()
        self.act = {}

    def forward(self, x):
        return self.act(x)
"""


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("self.default_act", "one `SiLU` instance"),
        ("self.default_act if plain else nn.Identity()", "one `Identity` or `SiLU` instance"),
    ],
)
def test_all_classes_are_named(held: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(MODEL.format(held))
    found = runs.check([path], SettingsResolver(all_rules(), isolated=True)).findings
    assert [finding.message.partition(" is created")[0] for finding in found if finding.code == "QP203"] == [said]
