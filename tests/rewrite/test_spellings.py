"""A module that runs twice is changed from outside: every way to change it, by every way to reach it.

A second instance would not see the change. The safe fixes have to leave the result bit for bit as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import torch
from _pytest.mark import ParameterSet

from tests.rewrite.reached_models import IMPORTS, NET, assert_bit_equal, fixed_outcomes


@dataclass(frozen=True, slots=True)
class Way:
    """A change of `{m}`: the module that runs twice, or (`of_holder`) the module that holds it."""

    statement: str
    activation: str = "nn.ReLU()"
    of_holder: bool = False


WAYS = {
    "hook": Way("{m}.register_forward_hook(lambda module, inputs, output: output * 2)"),
    "forward": Way("{m}.forward = torch.tanh"),
    "rebinding": Way("{m}.act = nn.Tanh()", of_holder=True),
    "setattr": Way('setattr({m}, "act", nn.Tanh())', of_holder=True),
    "modules-dict": Way('{m}._modules["act"] = nn.Tanh()', of_holder=True),
    "eval": Way("{m}.eval()", "nn.Dropout(0.5)"),
    "in-place": Way("{m}.negative_slope = 0.5", "nn.LeakyReLU()"),
}

# `{t}` is the module as an expression, `{o}.{n}` its holder and its name there, `{path}` its name below `outer`.
# `{way(x)}` marks where the change of `x` goes.
REACHES = {
    "direct": "{way({t})}",
    "local": "found = {t}\n{way(found)}",
    "argument": "def change(found):\n    {way(found)}\n\nchange({t})",
    "list": "found = [{t}]\n{way(found[0])}",
    "dict": 'found = {"a": {t}}\n{way(found["a"])}',
    "closure": "def make(found):\n    def change():\n        {way(found)}\n    return change\n\nmake({t})()",
    "getattr": '{way(getattr({o}, "{n}"))}',
    "attrgetter": '{way(attrgetter("{n}")({o}))}',
    "other-file": "from tools import change\nchange({t})",
    "return-value": "def fetch():\n    return {t}\n\n{way(fetch())}",
    "named-modules": 'for name, found in outer.named_modules():\n    if name == "{path}":\n        {way(found)}',
}

END = """

class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, x):
        return self.net(x)


def outcome():
    outer = Outer()
    x = torch.randn(2, 8, 4, 4)
"""

# Programs whose safe fix changes what they compute, each with the reason; strict, so that none stays too long.
KNOWN: dict[str, str] = {}


def _change(way: Way, reach: str) -> str:
    """The statements that change the module."""
    holder, name = ("outer", "net") if way.of_holder else ("outer.net", "act")
    text = REACHES[reach].replace("{t}", f"{holder}.{name}").replace("{o}", holder).replace("{n}", name)
    text = text.replace("{path}", "net" if way.of_holder else "net.act")
    start = text.find("{way(")
    if start < 0:
        return text
    end = text.index(")}", start)
    return text[:start] + way.statement.replace("{m}", text[start + 5 : end]) + text[end + 2 :]


def _files(way: Way, change: str) -> dict[str, str]:
    body = "".join(f"    {line}\n" for line in change.splitlines())
    model = IMPORTS + NET.format(activation=way.activation) + END + body + "    return [outer(x)]\n"
    tools = f"{IMPORTS}\n\ndef change(found):\n    {way.statement.replace('{m}', 'found')}\n"
    return {"model.py": model, "tools.py": tools}


def _parameter(way: str, reach: str) -> ParameterSet:
    name = f"{way}-{reach}"
    marks = [pytest.mark.xfail(strict=True, reason=KNOWN[name])] if name in KNOWN else []
    return pytest.param(WAYS[way], reach, id=name, marks=marks)


@pytest.mark.parametrize(("way", "reach"), [_parameter(way, reach) for way, reach in product(WAYS, REACHES)])
def test_a_safe_fix_keeps_a_change_from_outside(way: Way, reach: str, tmp_path: Path) -> None:
    _, before, after = fixed_outcomes(_files(way, _change(way, reach)), tmp_path)
    assert_bit_equal(before, after)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_without_a_change_the_second_call_gets_a_module(way: Way, tmp_path: Path) -> None:
    """The programs are ones that qprep would rewrite; otherwise the tests above would show nothing."""
    files = {"model.py": _files(way, "")["model.py"]}
    result, before, after = fixed_outcomes(files, tmp_path)
    assert len(result.changed) == 1
    assert "self.act_1" in (tmp_path / "after" / "model.py").read_text(encoding="utf-8")
    assert_bit_equal(before, after)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_the_change_makes_a_difference(way: Way, tmp_path: Path) -> None:
    _, changed, _ = fixed_outcomes(_files(way, _change(way, "direct")), tmp_path / "changed")
    _, plain, _ = fixed_outcomes(_files(way, ""), tmp_path / "plain")
    assert not torch.equal(changed[0], plain[0])


def test_known_failures_are_programs() -> None:
    assert set(KNOWN) <= {f"{way}-{reach}" for way, reach in product(WAYS, REACHES)}
