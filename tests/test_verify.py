from __future__ import annotations

import pytest

from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.source import SourceFile
from qprep.rewriting.gates import reject_rewrite, reject_source


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
    assert reject_source(source_of(data)) is None


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
    finding = run_with_large_stack(lambda: reject_source(source_of(data)))
    assert finding is not None
    assert finding.code == code
    assert said in finding.message


def test_a_file_that_libcst_changes_must_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    import libcst

    monkeypatch.setattr(libcst, "parse_module", lambda data: libcst.Module([]))
    finding = reject_source(source_of(b"x = 1\n"))
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
    fault = reject_rewrite(source_of(old), new)
    assert fault is None if said is None else fault is not None and fault.reason.startswith(said)
