"""`qprep trace`: what it prints and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qprep.cli import main

_MODELS = """
from torch import nn
class Add(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
    def forward(self, x):
        print("noise")
        return self.fc(x) + x
Prepared = nn.ReLU
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cli_models.py").write_text(_MODELS)
    return "cli_models.py:Add"


def test_table(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", target, "--input", "2,4"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split() == ["cli_models.py:9:16", "add", "(model)", "(Add)", "float32", "2x4", "×1"]
    assert "noise" not in out + err
    assert main(["trace", target, "--input", "2,4", "--exit-zero"]) == 0
    assert main(["trace", "cli_models.py:Prepared", "--input", "2,4"]) == 0


def test_json_and_tree(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", target, "--input", "2,4", "--device", "meta", "--output-format", "json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert [(event["op"], event["owned"]) for event in data["events"]] == [("linear", True), ("add", False)]
    assert main(["trace", target, "--input", "2,4", "--output-format", "tree"]) == 1
    assert capsys.readouterr().out.splitlines() == ["Add  1 unowned", "└── fc: Linear"]


def test_model_that_fails(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", target, "--input", "2,5"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("error: cli_models.py:Add failed in its forward pass: RuntimeError: mat1 and mat2")
    assert lines[1].strip().endswith("cli_models.py:9 in forward: return self.fc(x) + x")
    assert lines[-1] == "noise"


def test_wrong_use(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", target, "--input", "2,x"]) == 2
    assert main(["trace", "cli_models.py", "--input", "2"]) == 2
    assert main(["trace", target, "--trace-timeout", "0"]) == 2
    assert capsys.readouterr().err.count("error: expected") == 3
