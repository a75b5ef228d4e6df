"""`check --trace`, `fix --trace` and `fix --verify`: exit codes, diagnostics, files as they were."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qprep.analysis.facts import OpSite
from qprep.cli import main
from qprep.codemods import load_codemods
from qprep.codemods.base import Codemod, Outcome
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.findings import Rejection
from qprep.rewriting.fix_scope import Scope

MODELS = """\
import torch
from torch import nn
import library


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.other = nn.Linear(4, 4)

    def forward(self, x, extra: torch.Tensor | None = None):
        y = self.fc(x)
        if extra is not None:
            y = y * extra
        y = torch.relu(y + x)
        z = library.made(y)
        return self.other(z * z) - x


class Broken(nn.Module):
    def forward(self, x):
        return x + torch.zeros(3, 5)


def make():
    return Net(), torch.ones(2, 4)
"""
# Two fixes: a search for one to blame takes few runs, each of which imports torch.
SMALL = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.other = nn.Linear(4, 4)

    def forward(self, x):
        y = self.fc(x) + x
        return self.other(y) - x


def make():
    return Net(), torch.ones(2, 4)
"""
STORED = "self.other =", 'self.table = {"made": library.made}\n        self.other ='
LIBRARY = "def made(x):\n    return x.exp()\n"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "library.py").write_text(LIBRARY)
    path = tmp_path / "models.py"
    path.write_text(MODELS)
    return path


def ran(capfd: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(args)
    out, err = capfd.readouterr()
    return code, out, err


def test_check_marks_findings_and_lists_what_is_elsewhere(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert models.is_file()
    code, out, err = ran(capfd, "check", "models.py", "--trace", "models.py:make", "--output-format", "json")
    assert code == 1
    notes = {(each["location"]["row"], each["code"]): each["notes"] for each in json.loads(out)}
    assert notes[15, "QP101"] == ["not run by models.py:make"]
    assert notes[16, "QP101"] == ["confirmed by the run of models.py:make"]
    assert err.splitlines() == [
        "1 operation outside of the files given, which `qprep fix` leaves alone:",
        "  library.py:2:12: exp in the model itself (Net)",
    ]


def test_a_model_that_fails_is_one_finding_and_static_ones_stay(
    models: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    static = json.loads(ran(capfd, "check", models.name, "--output-format", "json")[1])
    flags = ("--trace", "models.py:Broken", "--input", "2,4", "--output-format", "json")
    code, out, _ = ran(capfd, "check", models.name, *flags)
    found = json.loads(out)
    assert code == 1
    (failure,) = [each for each in found if each["code"] == "QP007"]
    assert [each for each in found if each != failure] == static
    assert failure["filename"] == "models.py"
    assert failure["location"]["row"] == 23
    assert "models.py:Broken failed in its forward pass: RuntimeError" in failure["message"]
    assert "return x + torch.zeros(3, 5)" in failure["notes"][-1]


def test_named_targets_and_wrong_ones(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (models.parent / "qprep.toml").write_text('[trace.small]\ntarget = "models.py:Net"\ninput = "2,4"\n')
    code, out, _ = ran(capfd, "check", models.name, "--trace", "small", "--output-format", "json")
    assert code == 1
    assert "confirmed by the run of models.py:Net" in out
    code, _, err = ran(capfd, "check", models.name, "--trace", "smal")
    assert code == 2
    assert "found `smal`; did you mean `small`?" in err
    code, _, err = ran(capfd, "check", models.name, "--input", "2,4")
    assert code == 2
    assert "--input: expected --trace as well" in err


def test_fix_decides_unknown_kinds_by_the_run(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    models.write_text(MODELS.replace("library.made(y)", 'vars(self)["table"]["made"](y)').replace(*STORED))
    flags = ("--trace", "models.py:make", "--verify", "models.py:make", "--output-format", "concise")
    _, out, _ = ran(capfd, "fix", models.name, "--diff")
    assert "self.other(z * z), x)" in out
    code, out, _ = ran(capfd, "fix", models.name, *flags)
    assert code == 0
    assert out.splitlines()[0] == "Found 5 findings (5 fixed, 0 remaining)."
    assert re.fullmatch(r"verified: 1 model, \d\d tensors equal", out.splitlines()[-1])
    assert re.search(r"self\.other\(self\.mul\w*\(z, z\)\), x\)", models.read_text())


@pytest.mark.slow
def test_a_wrong_codemod_is_caught_and_nothing_is_written(
    models: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    models.write_text(SMALL)
    right = load_codemods()["tensor_operator"]
    added = next(op for op in load().ops if op.name == "add")

    def wrong(scope: Scope, site: OpSite) -> Outcome:
        """Subtractions become additions."""
        return right.rewrite(scope, replace(site, op=added) if site.op.name == "sub" else site)

    broken: Mapping[str, Codemod] = {**load_codemods(), right.stem: replace(right, rewrite=wrong)}
    monkeypatch.setattr("qprep.codemods.load_codemods", lambda: broken)
    code, out, err = ran(capfd, "fix", models.name, "--verify", "models.py:make")
    assert code == 2
    assert models.read_text() == SMALL
    assert err.startswith("error: nothing was written: not verified: models.py:make differs: eval: output: 8 of 8")
    assert "the fix of QP101 (tensor-operator) at models.py:13:16 causes it" in err
    assert "verified: 1" not in out
    assert main(["fix", models.name]) == 0  # without --verify it goes unseen
    assert models.read_text() != SMALL


def test_a_model_that_does_not_run_cannot_be_verified(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capfd, "fix", models.name, "--verify", "models.py:Broken", "--input", "2,4")
    assert code == 1
    assert "QP007" in out
    assert err == "error: nothing was written: the rewrite cannot be verified\n"
    assert models.read_text() == MODELS


def test_a_rewrite_that_no_longer_runs_is_not_written(
    models: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = load_codemods()["tensor_operator"]

    def wrong(scope: Scope, site: Any) -> Outcome:
        """The call reaches for an attribute that its module does not have."""
        pieces = right.rewrite(scope, site)
        if isinstance(pieces, Rejection):
            return pieces
        return (*pieces[:-1], replace(pieces[-1], text=f".oops{pieces[-1].text}"))

    monkeypatch.setattr(
        "qprep.codemods.load_codemods", lambda: {**load_codemods(), right.stem: replace(right, rewrite=wrong)}
    )
    code, _, err = ran(capfd, "fix", models.name, "--trace", "models.py:make")
    assert code == 2
    assert err.startswith("error: nothing was written: the rewritten model does not run: models.py:make failed")
    assert models.read_text() == MODELS
