"""Findings that `unfixable` or a baseline covers are not changed, and no fix of them is offered."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep import check_source, fix_source
from qprep.checks import load_checks
from qprep.checks.base import Check, Invalid
from qprep.cli import main
from qprep.engine.config.settings_file import Options
from qprep.foundation.findings import Rejection

INVALID = [
    pytest.param(c, example, id=f"{c.rule.code}-{i}") for c in load_checks() for i, example in enumerate(c.invalid)
]
MODEL = """\
import torch
from torch import nn


def mix(x, y):
    return torch.sigmoid(x) * y


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.fc(x))
        x = self.act(x)
        return torch.cat([mix(x, x) + x, x]) - 1
"""


@pytest.mark.parametrize(("check", "example"), INVALID)
def test_a_rule_that_is_unfixable(check: Check, example: Invalid) -> None:
    """No fix of it is made or offered, alone or beside those of all others."""
    options = Options(target=check.target, unfixable=(check.rule.code,), unsafe_fixes=True)
    before = [f for f in check_source(example.code, options=options) if f.code == check.rule.code]
    assert not any(finding.is_fixable for finding in before)
    text, result = fix_source(example.code, options=options)
    after = [f for f in check_source(text, options=options) if f.code == check.rule.code]
    assert len(after) == len(before) > 0
    assert check.rule.code not in {finding.code for finding in result.fixed}


def test_the_reason_names_the_settings() -> None:
    found = check_source(MODEL, options=Options(fixable=("QP2",)))
    assert {f.code for f in found if f.is_fixable} == {"QP201"}
    reasons = {f.fix.reason for f in found if isinstance(f.fix, Rejection) and f.code == "QP101"}
    assert reasons == {"the settings (`fixable`, `unfixable`) exclude QP101"}


def test_a_fix_by_itself_leaves_the_others_alone() -> None:
    """The edits of one finding in a function take those of the others along, but not what is left alone."""
    for finding in check_source(MODEL, options=Options(unfixable=("QP101",))):
        edits = getattr(finding.fix, "edits", ())
        assert not any("EltwiseMul" in edit.content for edit in edits)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)
    return tmp_path


def fix_with_baseline(*more: str) -> int:
    return main(["fix", "--no-cache", "--baseline", "qprep-baseline.json", *more])


def test_a_baseline_of_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--no-cache", "--write-baseline"])
    assert fix_with_baseline() == 0
    assert capsys.readouterr().out == "All checks passed!\n6 findings of the baseline left out.\n"
    assert (folder / "model.py").read_text() == MODEL
    assert fix_with_baseline("--diff") == 0
    assert capsys.readouterr().out == ""


def test_what_is_new_is_fixed(folder: Path) -> None:
    main(["check", "--no-cache", "--write-baseline"])
    new = MODEL.replace("        return torch", "        x = torch.tanh(x)\n        return torch")
    (folder / "model.py").write_text(new)
    assert fix_with_baseline() == 0
    text = (folder / "model.py").read_text()
    assert "x = self.tanh(x)\n" in text
    lines = set(text.splitlines())
    assert {line for line in MODEL.splitlines() if "return" in line or "self.act" in line} <= lines


def test_what_would_change_a_known_one_is_left_with_the_reason(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A function becomes a module as a whole."""
    main(["check", "--no-cache", "--write-baseline"])
    new = MODEL.replace("    return torch.sigmoid(x) * y", "    x = torch.tanh(x)\n    return torch.sigmoid(x) * y")
    (folder / "model.py").write_text(new)
    capsys.readouterr()
    assert fix_with_baseline("--output-format", "concise") == 1
    out = capsys.readouterr().out
    assert "model.py:6:9: QP301 `torch.tanh`" in out
    assert "fixable with" not in out
    assert (folder / "model.py").read_text() == new


def test_one_more_of_the_same_is_fixed(folder: Path) -> None:
    text = MODEL.replace("mix(x, x) + x", "x")
    line = "        y = x + x\n"
    (folder / "model.py").write_text(text.replace("        return torch.cat", f"{line}        return torch.cat"))
    main(["check", "--no-cache", "--write-baseline"])
    (folder / "model.py").write_text(text.replace("        return torch.cat", f"{line * 2}        return torch.cat"))
    fix_with_baseline("--select", "QP101")
    after = (folder / "model.py").read_text()
    assert after.count("y = x + x") == 1
    assert after.count("y = self.add_1(x, x)") == 1


def test_in_worker_processes(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "model.py").write_text(MODEL)
    main(["check", "--no-cache", "--write-baseline"])
    assert fix_with_baseline("--jobs", "2") == 0
    assert (folder / "model.py").read_text() == (folder / "other" / "model.py").read_text() == MODEL
