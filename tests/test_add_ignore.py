from __future__ import annotations

import pytest

from qprep.engine.add_ignore import add_ignores, can_suppress
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Finding, Position
from qprep.foundation.source import SourceFile


def finding(statement: tuple[int, int], code: str = "QP101") -> Finding:
    place = Position(statement[0], 1)
    return Finding(code, "name", "message", "", "a.py", place, place, statement)


def added(text: str, *findings: Finding, reason: str = "") -> str:
    return add_ignores(SourceFile.from_bytes("a.py", text.encode()), findings, reason)


@pytest.mark.parametrize(
    ("text", "statement", "after"),
    [
        ("x = a + b\n", (1, 1), "x = a + b  # qprep: ignore[QP101]\n"),
        ("x = a + b", (1, 1), "x = a + b  # qprep: ignore[QP101]"),
        ("x = a + b   \r\n", (1, 1), "x = a + b  # qprep: ignore[QP101]   \r\n"),
        ("x = (a +\n     b)\n", (1, 2), "x = (a +\n     b)  # qprep: ignore[QP101]\n"),
        ("x = a + \\\n    b\n", (1, 2), "x = a + \\\n    b  # qprep: ignore[QP101]\n"),
        ("x = a + b  # é\n", (1, 1), "x = a + b  # é  # qprep: ignore[QP101]\n"),
        ("x = a + b  # qprep: ignore[QP2] y\n", (1, 1), "x = a + b  # qprep: ignore[QP2, QP101] y\n"),
        ("x = '''\n''' + b\n", (1, 2), "x = '''\n''' + b  # qprep: ignore[QP101]\n"),
    ],
)
def test_comment_goes_to_the_end_of_the_statement(text: str, statement: tuple[int, int], after: str) -> None:
    assert added(text, finding(statement)) == after


def test_codes_of_one_statement_share_a_comment_with_the_reason() -> None:
    found = (finding((1, 1), "QP201"), finding((1, 1)), finding((1, 1)))
    assert added("x = a + b\n", *found, reason="later") == "x = a + b  # qprep: ignore[QP101, QP201] later\n"


def test_a_place_where_a_comment_would_change_the_code_is_refused() -> None:
    with pytest.raises(QprepError, match="cannot be placed without changing the code"):
        added("x = '''\n'''\n", finding((1, 1)))


def test_what_was_not_read_and_comments_themselves_are_not_suppressed() -> None:
    codes = ["QP001", "QP002", "QP003", "QP004", "QP005", "QP006", "QP101"]
    assert [code for code in codes if can_suppress(finding((1, 1), code))] == ["QP002", "QP101"]
