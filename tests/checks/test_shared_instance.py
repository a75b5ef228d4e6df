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


BLOCKS = """\
from torch import nn


class Block(nn.Module):
    def __init__(self, width, act):
        super().__init__()
        self.conv, self.act = nn.Conv2d(width, width, 1), act

    def forward(self, x):
        return self.act(self.conv(x))


class Net(nn.Module):
    def __init__(self, flag):
        super().__init__()
        {}

    def forward(self, x):
        return self.b(self.a(x))
"""


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (("kw = dict(width=3, act=nn.ReLU())", "self.a, self.b = Block(**kw), Block(**kw)"), 1),
        (("kw = {'width': 3, 'act': nn.ReLU()}", "self.a = Block(**kw)", "self.b = Block(**kw)"), 1),
        (("given = (3, nn.ReLU())", "self.a = Block(*given)", "self.b = Block(*given)"), 1),
        (("kw = {'act': nn.ReLU()}", "self.a = nn.Sequential(*[Block(3, **kw) for _ in range(2)])"), 1),
        (("kw = {'act': nn.ReLU()}", "self.a = Block(3, **kw)", "self.b = Block(3, act=nn.ReLU())"), 0),
        (("self.a = Block(**{'width': 3, 'act': nn.ReLU()})", "self.b = Block(*(3, nn.ReLU()))"), 0),
        (("kw = {'act': nn.ReLU()}", "self.a = Block(3, **kw) if flag else Block(4, **kw)"), 0),
        (("kw = {'act': nn.ReLU}", "self.a, self.b = Block(3, kw['act']()), Block(3, kw['act']())"), 0),
    ],
)
def test_what_calls_unpack_twice_is_shared(lines: tuple[str, ...], count: int, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(BLOCKS.format("\n        ".join(lines)))
    found = runs.check([path], SettingsResolver(all_rules(), isolated=True)).findings
    assert [finding.code for finding in found].count("QP203") == count
