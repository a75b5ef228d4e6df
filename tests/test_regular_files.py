"""Settings, baselines and catalogues that are no regular files: one sentence, at once, and no endless reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qprep.cli import main
from qprep.foundation.regular_files import NotRegularError, is_regular, read_bytes

MODEL = "from torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return x + 1\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/dev/zero", "expected a regular file, found a device"),
        ("pipe", "expected a regular file, found a pipe"),
        (".", "expected a regular file, found a folder"),
        ("loop", "Too many levels of symbolic links"),
        ("none", "No such file or directory"),
    ],
)
def test_the_settings_name_no_regular_file(
    path: str, found: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (f'baseline = "{path}"', f'catalogue = "{path}"'):
        Path("qprep.toml").write_text(line)
        assert main(["check", "--no-cache", "model.py"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert "a bug in qprep" not in error
        assert found in error
    assert not is_regular(folder / path)


def test_a_link_to_a_device_as_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "qprep.toml").symlink_to("/dev/zero")
    assert main(["check", "--no-cache", "model.py"]) == 0
    assert main(["check", "--no-cache", "--config", "qprep.toml", "model.py"]) == 2
    assert "expected a configuration file" in capsys.readouterr().err


def test_at_most_so_many_bytes(folder: Path) -> None:
    assert read_bytes(folder / "model.py", len(MODEL)) == MODEL.encode()
    with pytest.raises(NotRegularError, match="expected at most 3 bytes, found more"):
        read_bytes(folder / "model.py", 3)


@pytest.mark.parametrize("text", ['{"version": 1, "findings": 3}', "[" * 100_000, '{"version": 1, "findings": [[]]}'])
def test_a_baseline_that_is_none(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.json").write_text(text)
    assert main(["check", "--no-cache", "--baseline", "b.json", "model.py"]) == 2
    assert "error: --baseline: expected" in capsys.readouterr().err
