from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qprep.foundation.findings import Position
from qprep.foundation.source import SourceError, SourceFile, display_path, is_generated

WORDS = st.sampled_from(["a = 1", "é = 'ü€'", "b = '𝔘' + c", "", "\f", "    ", "x = (a,", "   'é', b)", "# ñ\t"])
NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"", "", "utf-8"),
        (b"x = 1\r\ny = 2\r", "x = 1\r\ny = 2\r", "utf-8"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n", "utf-8"),
        (b"# coding: latin-1\nx = '\xe9'\n", "# coding: latin-1\nx = 'é'\n", "iso-8859-1"),
        (b"#!/bin/sh\r# -*- coding: cp1252 -*-\rx = '\x80'", "#!/bin/sh\r# -*- coding: cp1252 -*-\rx = '€'", "cp1252"),
        (b"# a\r# b\r# coding: cp1252\r", "# a\r# b\r# coding: cp1252\r", "utf-8"),
    ],
)
def test_decodes_and_gives_back_its_bytes(data: bytes, text: str, encoding: str) -> None:
    source = SourceFile.from_bytes("a.py", data)
    assert (source.text, source.encoding) == (text, encoding)
    assert source.encode(source.text) == data


@pytest.mark.parametrize(
    ("data", "place", "said"),
    [
        (b"x = 1\ny = '\xe9'\n", (2, 1), "byte 0xe9 is not valid utf-8"),
        (b"a\nb\r\nc\rd\n\xff", (5, 1), "byte 0xff is not valid utf-8"),
        (b"# coding: nonsense\n", (1, 1), "unknown encoding: nonsense"),
        (b"# coding: rot13\n", (1, 1), "not a text encoding"),
        (b"\xef\xbb\xbf# coding: latin-1\n", (1, 1), "encoding problem"),
    ],
)
def test_undecodable_bytes_are_qp003(data: bytes, place: tuple[int, int], said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        SourceFile.from_bytes("a.py", data)
    finding = caught.value.finding
    assert (finding.code, finding.start) == ("QP003", Position(*place))


def test_a_missing_file_and_a_folder_are_qp003(tmp_path: Path) -> None:
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(SourceError, match="the file cannot be read") as caught:
            SourceFile.read(path)
        assert caught.value.finding.code == "QP003"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("x = 1\ny = ]\n", (2, 5), "unmatched"),
        ("x = (\n", (1, 5), "'\\(' was never closed"),
        ("é = 'ü' +\n", (1, 10), "invalid syntax"),
        ("x = 1\ny\0 = 2\n", (2, 2), "null bytes"),
        ("(" * 3000 + ")" * 3000, (1, 201), "too many nested parentheses"),
        ("if x:\npass\n", (2, 1), "expected an indented block"),
    ],
)
def test_syntax_errors_are_qp001_where_cpython_sees_them(text: str, place: tuple[int, int], said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        SourceFile.from_bytes("a.py", text.encode()).parse()
    assert (caught.value.finding.code, caught.value.finding.start) == ("QP001", Position(*place))


def test_nesting_beyond_the_parser_is_qp006() -> None:
    with pytest.raises(SourceError) as caught:
        SourceFile.from_bytes("a.py", b"x = " + b"-" * 100_000 + b"1").parse()
    assert caught.value.finding.code == "QP006"


def test_warnings_of_the_compiler_stay_silent(recwarn: pytest.WarningsRecorder) -> None:
    SourceFile.from_bytes("a.py", b"x = 1 is 1\ny = '\\d'\n").parse()
    assert len(recwarn) == 0


def test_newer_syntax_than_the_target_is_a_syntax_error() -> None:
    source = SourceFile.from_bytes("a.py", b"match x:\n    case 1:\n        pass\n")
    assert isinstance(source.parse((3, 10)).body[0], ast.Match)
    with pytest.raises(SourceError, match="only supported in Python 3.10"):
        source.parse((3, 9))


@given(st.lists(st.tuples(WORDS, NEWLINES), max_size=12))
def test_lines_are_those_of_ast(parts: list[tuple[str, str]]) -> None:
    """`ast` gives the offsets; the text between them is what `ast.get_source_segment` finds."""
    text = "".join(word + newline for word, newline in parts)
    source = SourceFile.from_bytes("a.py", text.encode())
    try:
        tree = source.parse()
    except SourceError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt):
            start, end = source.span(node)
            # get_source_segment translates nothing but reads the lines by the same rules.
            assert source.text[start:end] == ast.get_source_segment(source.text, node)


@given(st.text(alphabet="a é𝔘\n\r\f\x0b\x1c\u2028", max_size=60))
def test_positions_and_offsets_are_inverse(text: str) -> None:
    source = SourceFile.from_bytes("a.py", text.encode())
    for offset in range(len(text) + 1):
        position = source.position(offset)
        assert source.offset_of(position) == offset
        column = len(text[source.starts[position.line - 1] : offset].encode())
        assert source.offset(position.line, column) == offset
    assert "".join(source.line(number + 1) for number in range(len(source.starts))) == text.translate(
        {10: None, 13: None}
    )


def test_newline_is_the_first_one() -> None:
    assert SourceFile.from_bytes("a.py", b"a\r\nb\n").newline == "\r\n"
    assert SourceFile.from_bytes("a.py", b"a").newline == "\n"


def test_tokens_count_code_points_on_the_lines_of_ast() -> None:
    source = SourceFile.from_bytes("a.py", "é = 1 # c\r\rx = 2 # d\r\n\f# e\n".encode())
    comments = [(token.string, token.start) for token in source.tokens() if token.string.startswith("#")]
    assert comments == [("# c", (1, 6)), ("# d", (3, 6)), ("# e", (4, 1))]


def test_encode_refuses_what_the_encoding_lacks() -> None:
    source = SourceFile.from_bytes("a.py", b"# coding: latin-1\n")
    with pytest.raises(UnicodeEncodeError):
        source.encode("€")


def test_display_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert display_path(tmp_path / "a" / "b.py") == "a/b.py"
    assert display_path("./a/../b.py") == "b.py"
    assert display_path("../b.py") == "../b.py"
    assert display_path("/elsewhere/b.py") == "/elsewhere/b.py"


def test_generated_marker_counts_in_a_comment_at_the_top() -> None:
    assert is_generated(SourceFile.from_bytes("a.py", b"#!/usr/bin/python\n# @generated by a tool\n"))
    assert not is_generated(SourceFile.from_bytes("a.py", b"x = '@generated'\n"))
    assert not is_generated(SourceFile.from_bytes("a.py", b"\n" * 2000 + b"# @generated\n"))
