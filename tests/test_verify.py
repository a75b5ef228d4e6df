from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.errors import QprepError
from qprep.foundation.source import SourceFile
from qprep.rewriting.gates import refuse_rewrite, refuse_untouched, write_atomically


def source_of(data: bytes) -> SourceFile:
    return SourceFile.from_bytes("a.py", data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x = 1",
        b"\xef\xbb\xbfx = 1\r\ny = 2\n",
        b"# coding: latin-1\nx = '\xe9'\n",
        b"if x:\n\ty = 1\n",
        b"x = '\\d'\n",  # a warning is no error
    ],
)
def test_plain_files_may_be_rewritten(data: bytes) -> None:
    assert refuse_untouched(source_of(data)) is None


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"x = (", "QP001", "was never closed"),
        (b"return 1\n", "QP002", "it does not compile: 'return' outside function (line 1)"),
        (b"x = " + b" + ".join([b"a"] * 3000), "QP006", "nested too deeply"),
        (b"x = " + b"-" * 100_000 + b"1", "QP006", "nested too deeply"),
        (b"# coding: utf-7\nx = '+AGE-'\n", "QP002", "its encoding utf-7 does not give back its bytes"),
    ],
)
def test_files_that_must_stay(data: bytes, code: str, said: str) -> None:
    finding = run_with_large_stack(lambda: refuse_untouched(source_of(data)))
    assert finding is not None
    assert finding.code == code
    assert said in finding.message


def test_a_file_that_libcst_changes_must_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    import libcst

    monkeypatch.setattr(libcst, "parse_module", lambda data: libcst.Module([]))
    finding = refuse_untouched(source_of(b"x = 1\n"))
    assert finding is not None
    assert finding.message == "the file cannot be rewritten: LibCST does not give back its bytes"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"x = a + b  # c\n", "x = add(a, b)  # c\n", None),
        (b"# c\nx = a  # qprep: ignore[QP101]\n", "# c\nx = a\n", None),
        (b"x = 1\n", "x = = 1\n", "it does not compile: invalid syntax (line 1)"),
        (b"x = 1\n", "x = 1\0\n", "it does not compile: "),
        (b"x = 1  # c\n", "x = 1\n", "it would lose the comment '# c'"),
        (b"x = 1  # c\ny = 1  # c\n", "x = 1  # c\ny = 1\n", "it would lose the comment '# c'"),
        (b"# coding: latin-1\nx = 1\n", "# coding: latin-1\nx = '€'\n", "its encoding iso-8859-1 has no '€'"),
        (b"x = 1  # c\n", "x = '# c'\n", "it would lose the comment '# c'"),
    ],
)
def test_rewrites(old: bytes, new: str, said: str | None) -> None:
    fault = refuse_rewrite(source_of(old), new)
    assert fault == said if said is None else fault is not None and fault.startswith(said)


def test_write_keeps_mode_and_link(tmp_path: Path) -> None:
    target, link = tmp_path / "a.py", tmp_path / "link.py"
    target.write_bytes(b"old")
    target.chmod(0o751)
    link.symlink_to("a.py")
    write_atomically(link, b"new", b"old")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o751
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.py", "link.py"]


def test_a_file_that_changed_meanwhile_is_left(tmp_path: Path) -> None:
    target = tmp_path / "a.py"
    target.write_bytes(b"somebody else's")
    with pytest.raises(QprepError, match="the file changed while it was being fixed; it was left as it is"):
        write_atomically(target, b"new", b"old")
    assert target.read_bytes() == b"somebody else's"


def test_a_read_only_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.py"
    target.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(QprepError, match="the file is read-only"):
        write_atomically(target, b"new", b"old")
    assert target.read_bytes() == b"old"


def test_a_vanished_file_and_a_full_disk_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QprepError, match="cannot be written: No such file"):
        write_atomically(tmp_path / "none.py", b"new", b"old")
    target = tmp_path / "a.py"
    target.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(QprepError, match="No space left on device; it was left as it is"):
        write_atomically(target, b"new", b"old")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    target = tmp_path / "a.py"
    target.write_bytes(b"old")

    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises((KeyboardInterrupt, QprepError)):
        write_atomically(target, b"new", b"old")
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]
    assert target.read_bytes() == b"old"
