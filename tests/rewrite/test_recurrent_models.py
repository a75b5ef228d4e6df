"""Models around recurrent layers and attention, from the command line: check, fix, verify, and the old checkpoint."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

import qprep
from qprep.cli import main
from tests.equivalence import importing_from

BEFORE = Path(qprep.__file__).parent.parent / "fixtures" / "before"
MODELS = ("word_language_model", "crnn", "speech_encoder", "seq2seq", "transformer")

# One target for all of them: each target is built in processes of its own.
_ALL = """
from torch import nn
import {names}


class All(nn.Module):
    def __init__(self, models):
        super().__init__()
        self.models = nn.ModuleDict(models)

    def forward(self, inputs):
        return [self.models[name](*given) for name, given in inputs.items()]


def example():
    made = {{module.__name__: module.example() for module in ({names})}}
    inputs = {{name: given for name, (_, given) in made.items()}}
    return All({{name: model for name, (model, _) in made.items()}}), (inputs,)
"""


def _build(folder: Path, name: str) -> nn.Module:
    with importing_from(folder):
        torch.manual_seed(0)
        model: nn.Module = importlib.import_module(name).example()[0]
        return model


def test_check_fix_verify_and_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in MODELS:
        shutil.copy(BEFORE / f"{name}.py", tmp_path)
        assert main(["check", "-q", f"{name}.py"]) == 1
    (tmp_path / "everything.py").write_text(_ALL.format(names=", ".join(MODELS)))
    capsys.readouterr()
    assert main(["fix", "--verify", "everything.py:example", "."]) == 0
    shown = capsys.readouterr()
    assert "verified: 1 model" in shown.out + shown.err
    for name in MODELS:
        assert main(["check", "-q", f"{name}.py"]) == 0
        assert (tmp_path / f"{name}.py").read_bytes() != (BEFORE / f"{name}.py").read_bytes()
        original, prepared = _build(BEFORE, name), _build(tmp_path, name)
        kept = original.state_dict()
        prepared.load_state_dict({key: torch.zeros_like(value) for key, value in kept.items()})
        prepared.load_state_dict(kept, strict=True)
        assert list(prepared.state_dict()) == list(kept)
        assert all(torch.equal(prepared.state_dict()[key], value) for key, value in kept.items())
        original.load_state_dict(prepared.state_dict(), strict=True)
    assert main(["check", "--output-format", "concise", "word_language_model.py"]) == 0
    assert "QP204 `self.decoder.weight`" in capsys.readouterr().out  # for information: the weights stay tied
