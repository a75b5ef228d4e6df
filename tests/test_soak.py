"""A few hundred damaged files, by the mutator of scripts/soak.py; the long run is the script's."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

import qprep

ROOT = Path(qprep.__file__).parent.parent


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", ROOT / "scripts" / "soak.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["soak"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_damaged_files_are_neither_a_crash_nor_a_wrong_write(
    soak: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = sorted((ROOT / "fixtures").rglob("*.py"))
    assert len(sources) > 20
    assert soak.mutants(200, 7, [path for path in sources if path.stat().st_size < 12_000]) == []
    words = capsys.readouterr().out.split()
    compiling, rewritten = int(words[words.index("compile,") - 1]), int(words[words.index("rewritten,") - 1])
    assert min(compiling, rewritten, 200 - compiling) > 20  # the damage is of every kind


def test_a_tree_is_gone_through(soak: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fine.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("x = (\n")
    assert soak.go_through(soak.Tree("small", tmp_path), 1) == []
    assert capsys.readouterr().out.startswith("small: 2 files, 1 findings, 0 files rewritten, 0 faults")
