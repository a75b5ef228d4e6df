"""A function of one's own that an attribute may hold runs operations that no module of its own stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.results import FixResult
from qprep.engine.rule_registry import all_rules
from qprep.foundation.findings import Rejection

MODEL = """\
from functools import partial

import torch.nn.functional as F
from torch import nn


def scaled(t, by=2):
    return (t * by).exp()


class Net(nn.Module):
    def __init__(self, by=None):
        super().__init__()
        self.make = {} if by is not None else F.sigmoid

    def forward(self, x):
        return self.make(x)
"""


@pytest.mark.parametrize("held", ["scaled", "partial(scaled, by=by)", "(lambda t: (t * by).exp())"])
def test_a_function_of_ones_own_is_not_called_fixed(held: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(MODEL.format(held))
    result = runs.fix([path], SettingsResolver(all_rules(), isolated=True), write=False)
    assert [finding.code for finding in result.remaining] == ["QP303"]
    assert isinstance(result.remaining[0].fix, Rejection)
    assert "if by is not None else F.sigmoid" in _text(result, path)


def _text(result: FixResult, path: Path) -> str:
    """The text that a fix gives a file."""
    return result.changed[0].new_text if result.changed else path.read_text()


CHOSEN = """\
from functools import partial

import torch.nn.functional as F
from torch import nn


def scaled(t, by=2):
    return (t * by).exp()


class Net(nn.Module):
    def __init__(self, kind="a", given=None):
        super().__init__()
{choice}

    def forward(self, x):
        return self.make(x)
"""
EXCLUSIVE = {
    "other arm": ["if kind:", "    self.make = scaled", "else:", "    self.make = F.sigmoid"],
    "chain": [
        "if given is not None:",
        "    self.make = given",
        "elif kind:",
        "    self.make = partial(scaled, by=3)",
        "else:",
        "    make = partial(F.softmax, dim=-1)",
        "    self.make = make",
    ],
    "nested": ["if kind:", "    if given:", "        self.make = F.gelu", "    else:", "        self.make = scaled"],
}
IN_TURN = {
    "behind": ["self.make = F.sigmoid", "if kind:", "    self.make = scaled"],
    "two conditions": ["if kind:", "    self.make = F.sigmoid", "if given:", "    self.make = scaled"],
    "loop": [
        "for each in (1, 2):",
        "    if each == 1:",
        "        self.make = F.sigmoid",
        "    else:",
        "        self.make = scaled",
    ],
}


def _fixed(choice: list[str], folder: Path) -> FixResult:
    path = folder / "net.py"
    path.write_text(CHOSEN.format(choice="\n".join(f"        {line}" for line in choice)))
    return runs.fix([path], SettingsResolver(all_rules(), isolated=True), write=True)


@pytest.mark.parametrize("name", EXCLUSIVE)
def test_a_function_of_torch_becomes_a_module_beside_branches_that_never_run_with_it(name: str, tmp_path: Path) -> None:
    assert len(_fixed(EXCLUSIVE[name], tmp_path).changed) == 1
    text = (tmp_path / "net.py").read_text()
    assert any(made in text for made in ("self.make = nn.Sigmoid()", "self.make = nn.GELU()", "Function.wrap(make)"))
    assert "scaled" in text


@pytest.mark.parametrize("name", IN_TURN)
def test_a_function_stays_where_another_may_be_stored_over_it(name: str, tmp_path: Path) -> None:
    result = _fixed(IN_TURN[name], tmp_path)
    assert [finding.code for finding in result.remaining] == ["QP303"]
    assert "self.make = F.sigmoid" in (tmp_path / "net.py").read_text()
