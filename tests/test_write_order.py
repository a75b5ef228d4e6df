"""Rewritten files are written definitions first, and a fix of several is made whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qprep.cli import main
from qprep.engine.results import ChangedFile
from qprep.engine.write_order import definitions_first
from qprep.foundation.source import SourceFile

OPS = """\
import torch


def mix(x, y):
    return torch.sigmoid(x) * y
"""
NET = """\
from torch import nn

from {package}ops import mix


class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return mix(self.fc(x), x)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "ops.py").write_text(OPS)
    for name in ("a_net", "z_net"):
        (tmp_path / "pkg" / f"{name}.py").write_text(NET.format(package="pkg.", name=name))
    return tmp_path / "pkg"


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def changed(path: str, text: str) -> ChangedFile:
    return ChangedFile(path, SourceFile.from_bytes(path, b"x = 1\n"), text)


def order(*files: ChangedFile) -> list[str]:
    return [entry.path for entry in definitions_first(files)]


def test_by_the_new_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    top = changed("a.py", "from m import B\n")
    middle = changed("m.py", "from z import A\n\nclass B(A): pass\n")
    base = changed("z.py", "class A: pass\n")
    assert order(top, middle, base) == ["z.py", "m.py", "a.py"]
    assert order(base, middle, top) == ["z.py", "m.py", "a.py"]
    assert order(top) == ["a.py"]
    assert order() == []


def test_files_that_import_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sorted(order(changed("a.py", "import b\n"), changed("b.py", "import a\n"))) == ["a.py", "b.py"]


def test_a_fix_replaces_the_definitions_first(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[str] = []
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        replaced.append(Path(target).name)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    assert main(["fix", "--no-cache", "pkg"]) == 0
    assert "Mix" in (package / "ops.py").read_text()
    assert replaced[0] == "ops.py"
    assert sorted(replaced) == ["a_net.py", "ops.py", "z_net.py"]


def test_a_fix_that_cannot_write_one_file_writes_none(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = texts(package)
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(target).name == "z_net.py" and Path(source).suffix == ".new":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    assert main(["fix", "--no-cache", "pkg"]) == 2
    assert capsys.readouterr().err == (
        "error: pkg/z_net.py: the file cannot be written: No space left on device; no file was changed\n"
    )
    assert texts(package) == before


@pytest.mark.parametrize("verb", ["check", "fix"])
def test_the_next_run_finishes_what_was_stopped(
    verb: str, package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.name != "posix":
        pytest.skip("processes are killed by signals")
    before = texts(package)
    child = os.fork()
    if child == 0:
        real = os.replace

        def replace(source: Path, target: Path) -> None:
            real(source, target)
            os.kill(os.getpid(), 9)

        os.replace = replace  # type: ignore[assignment]
        main(["fix", "--no-cache", "pkg"])
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    now = texts(package)
    assert now["ops.py"] != before["ops.py"]
    assert now["a_net.py"] == before["a_net.py"]
    assert main([verb, "--no-cache", "pkg"]) == 0
    assert "note: a fix that was stopped is finished: pkg/ops.py, pkg/a_net.py, pkg/z_net.py" in capsys.readouterr().err
    assert all("Mix" in text for name, text in texts(package).items() if name != "__init__.py")
    assert texts(package).keys() == before.keys()
