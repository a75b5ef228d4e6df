"""`fix --verify` applies unsafe fixes that the run proves, and leaves those that change something or do not run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qprep.cli import main
from qprep.tracing.bisection import keep

BLOCK = """

class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.fc(x))
        return self.act(x - 0.1)
"""
MODEL = f"""\
import torch
from torch import nn
{BLOCK.format(name="Harmless")}{BLOCK.format(name="Harmful")}{BLOCK.format(name="Idle")}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Harmless()
        self.second = Harmful()

    def forward(self, x):
        return self.second(self.first(x))


def count(module, args, output):
    return None


def reset(module, args, output):
    return torch.ones_like(output)


def make():
    net = Net()
    act = net.first.act
    act.register_forward_hook(count)
    act = net.second.act
    act.register_forward_hook(reset)
    return net, torch.ones(2, 4)


def make_idle():
    net = Idle()
    act = net.act
    act.register_forward_hook(reset)
    return net, torch.ones(2, 4)
"""
NAMES = ("Harmless", "Harmful", "Idle")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lib" / "hooked.py"
    path.parent.mkdir()
    path.write_text(MODEL)
    return path


def unshared(path: Path) -> list[str]:
    """The classes whose second call of the activation has an instance of its own."""
    parts = {part.partition("(")[0]: part for part in path.read_text().split("class ")[1:]}
    return [name for name in NAMES if "return self.act(" not in parts[name]]


def test_without_a_run_only_safe_fixes_are_applied(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "lib"]) == 1
    assert unshared(model) == []
    assert "EltwiseSub()" in model.read_text()
    out = capfd.readouterr().out
    assert "3 findings have unsafe fixes: --verify TARGET proves, --unsafe-fixes applies them." in out
    lines = model.read_text().splitlines()
    blamed = 1 + lines.index("    act.register_forward_hook(reset)")
    assert f"(lib/hooked.py:{blamed})" in out


def test_unsafe_fixes_are_all_applied_where_they_are_asked_for(model: Path) -> None:
    assert main(["fix", "lib", "--unsafe-fixes"]) == 0
    assert unshared(model) == list(NAMES)


@pytest.mark.slow
def test_verify_keeps_what_the_run_proves(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "lib", "--verify", "lib/hooked.py:make", "--output-format", "json"]) == 1
    out, err = capfd.readouterr()
    assert unshared(model) == ["Harmless"]
    assert model.read_text().count("EltwiseSub()") == 3
    harmful, idle = json.loads(out)
    assert "with this fix, lib/hooked.py:make differs: eval: output" in json.dumps(harmful)
    assert "the run of lib/hooked.py:make does not go through this code" in json.dumps(idle)
    assert harmful["location"]["row"] < idle["location"]["row"]
    assert err.startswith("verified: 1 model, ")


@pytest.mark.parametrize("wrong", [(), (0,), (6,), (2, 3), (0, 5, 6), tuple(range(7))])
def test_keep_leaves_out_exactly_what_makes_a_difference(wrong: tuple[int, ...]) -> None:
    assert keep(range(7), lambda part: not set(wrong) & set(part)) == [n for n in range(7) if n not in wrong]


def test_keep_keeps_the_first_of_two_that_differ_together() -> None:
    assert keep("abcd", lambda part: not {"b", "d"} <= set(part)) == ["a", "b", "c"]
