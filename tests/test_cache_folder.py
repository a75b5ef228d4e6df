"""Entries that a cache removes, and folders that it may use."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from qprep.cli import main
from qprep.engine.incremental.cache_folder import TAG, TAG_NAME, CacheFolder
from qprep.foundation.errors import QprepError

KEY = "ab" + "0123456789" * 3 + "abcdef01"
OLD = 60 * 86_400
MODEL = "from torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return x + 1\n"


def age(path: Path, seconds: float = OLD) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then), follow_symlinks=False)


def filled(folder: Path) -> dict[Path, bytes]:
    """Files of another program, old, under names that look like a cache's; among them those of git's objects."""
    made: dict[Path, bytes] = {}
    for name in ("ab/" + "0" * 38, "v1/weights.bin", "ff/" + "a" * 38, "cd/.x.qprep", "top.txt"):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(name.encode())
        age(place)
        made[place] = name.encode()
    return made


def held(files: dict[Path, bytes]) -> bool:
    return all(path.read_bytes() == data for path, data in files.items())


def test_an_entry_comes_back(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "a" / "cache")
    assert folder.read(KEY) is None
    assert folder.write(KEY, b"content")
    assert CacheFolder(tmp_path / "a" / "cache").read(KEY) == b"content"
    assert (tmp_path / "a" / "cache" / TAG_NAME).read_bytes() == TAG
    assert (tmp_path / "a" / "cache" / ".gitignore").read_bytes() == b"*\n"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["cache"]


def test_only_old_entries_are_removed(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "cache")
    for key in ("ab" + "0" * 38, "cd" + "1" * 38):
        assert folder.write(key, b"content")
    age(tmp_path / "cache" / "ab" / ("0" * 38))
    left = tmp_path / "cache" / "cd" / f".{'1' * 38}.abc123.qprep"
    left.write_bytes(b"half")
    age(left)
    folder.tidy(30)
    assert folder.read("ab" + "0" * 38) is None
    assert folder.read("cd" + "1" * 38) == b"content"
    assert not left.exists()


def test_files_of_others_stay_in_a_tagged_folder(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "cache")
    assert folder.write(KEY, b"content")
    files = filled(tmp_path / "cache")
    outside = filled(tmp_path / "outside")
    (tmp_path / "cache" / "ee").symlink_to(tmp_path / "outside" / "ab")
    (tmp_path / "cache" / "ab" / ("f" * 38)).symlink_to(tmp_path / "outside" / "v1" / "weights.bin")
    folder.tidy(30)
    assert held({**files, **outside})
    assert (tmp_path / "cache" / "ab" / ("f" * 38)).is_symlink()


@pytest.mark.parametrize("tag", [None, b"", b"Signature: 8a477f597d28d172789f06886806bc55\n# by another program\n"])
def test_a_folder_of_others_is_refused(tag: bytes | None, tmp_path: Path) -> None:
    files = filled(tmp_path / "data")
    if tag is not None:
        (tmp_path / "data" / TAG_NAME).write_bytes(tag)
    folder = CacheFolder(tmp_path / "data")
    with pytest.raises(QprepError, match=r"expected an empty folder .*, found other files in .*data"):
        folder.claim()
    assert not folder.write(KEY, b"content")
    folder.tidy(30)
    assert held(files)
    assert not (tmp_path / "data" / KEY[:2] / KEY[2:]).exists()


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("text")
    with pytest.raises(QprepError, match="expected a folder, found something else"):
        CacheFolder(tmp_path / "cache").claim()


def test_a_folder_in_which_a_run_was_stopped_is_used(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".gitignore").write_bytes(b"*\n")
    (tmp_path / "cache" / f".{TAG_NAME}.x1.qprep").write_bytes(TAG[:9])
    folder = CacheFolder(tmp_path / "cache")
    folder.claim()
    assert folder.write(KEY, b"content")
    CacheFolder(tmp_path / "cache").claim()


def test_an_entry_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "cache")
    assert folder.write(KEY, b"content")
    place = tmp_path / "cache" / KEY[:2] / KEY[2:]
    place.unlink()
    os.mkfifo(place)
    age(place)
    assert folder.read(KEY) is None
    folder.tidy(30)
    assert stat.S_ISFIFO(place.stat().st_mode)


def test_many_runs_may_begin_at_once(tmp_path: Path) -> None:
    written: list[bool] = []

    def work(number: int) -> None:
        folder = CacheFolder(tmp_path / "cache")
        folder.claim()
        written.append(folder.write(f"{number:040x}", b"content"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [True] * 16
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize("place", [".git/objects", ".", "data"])
@pytest.mark.parametrize("by_flag", [True, False])
def test_settings_cannot_name_a_folder_of_others(
    place: str, by_flag: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    files = filled(tmp_path / place)
    Path("model.py").write_text(MODEL)
    if not by_flag:
        Path("pyproject.toml").write_text(f'[tool.qprep]\ncache-dir = "{place}"\n')
    for verb in ("check", "fix"):
        assert main([verb, *(["--cache-dir", place] if by_flag else []), "model.py"]) == 2
        assert "found other files in" in capsys.readouterr().err
    assert held(files)
    assert Path("model.py").read_text() == MODEL
