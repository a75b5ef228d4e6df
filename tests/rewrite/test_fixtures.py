"""Whole model files: `qprep fix` turns fixtures/before into fixtures/after, byte for byte, and nothing else changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import qprep
from qprep.cli import main
from tests.equivalence import differences, observe, residue

FIXTURES = Path(qprep.__file__).parent.parent / "fixtures"
MODELS = sorted(path.name for path in (FIXTURES / "before").glob("*.py"))


def test_both_folders_hold_the_same_files() -> None:
    assert len(MODELS) >= 8
    assert sorted(path.name for path in (FIXTURES / "after").glob("*.py")) == MODELS


@pytest.mark.parametrize("name", MODELS)
def test_before_becomes_after(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(FIXTURES / "before" / name, tmp_path)
    assert main(["fix", "-q", name]) == 0
    assert (tmp_path / name).read_bytes() == (FIXTURES / "after" / name).read_bytes()


@pytest.mark.parametrize("name", MODELS)
def test_after_is_stable(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(FIXTURES / "after" / name, tmp_path)
    assert main(["check", "-q", name]) == 0
    assert main(["fix", "-q", name]) == 0
    assert (tmp_path / name).read_bytes() == (FIXTURES / "after" / name).read_bytes()


@pytest.mark.parametrize("name", [name.removesuffix(".py") for name in MODELS])
def test_models_stay_equal_and_become_prepared(name: str) -> None:
    before, after = observe(FIXTURES / "before", name), observe(FIXTURES / "after", name)
    assert [run.error for run in before.runs.values()] == ["", ""]
    assert differences(before, after) == []
    assert not residue(before).is_prepared
    assert residue(after).is_prepared
