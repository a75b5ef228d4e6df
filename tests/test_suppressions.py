from __future__ import annotations

import pytest

from qprep.engine.suppressions import Judged, judge, read
from qprep.foundation.findings import Finding, Fix, Position
from qprep.foundation.source import SourceFile
from qprep.foundation.text_edits import apply_fixes
from tests.fake_engine import ADD, RULES, SUB

ON = frozenset(rule.code for rule in RULES)


def source_of(text: str) -> SourceFile:
    return SourceFile.from_bytes("a.py", text.encode())


def finding(first: int, last: int | None = None, code: str = ADD.code) -> Finding:
    place = Position(first, 1)
    return Finding(code, "name", "message", "", "a.py", place, place, (first, last or first))


def judged(text: str, *findings: Finding, enabled: frozenset[str] = ON) -> Judged:
    return judge(source_of(text), findings, RULES, enabled)


def faults(text: str, *findings: Finding) -> list[tuple[str, str]]:
    return [(item.code, item.message) for item in judged(text, *findings).kept if item.code < "QP1"]


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("x = a + b  # qprep: ignore[QP101]\n", (1, 1)),
        ("x = a + b  # qprep: ignore[QP101] a reason\n", (1, 1)),
        ("x = a + b  #qprep:ignore[QP102,QP101]\n", (1, 1)),
        ("x = a + b  # qprep: ignore[QP1]\n", (1, 1)),
        ("x = a + b  # qprep: ignore[tensor-add]\n", (1, 1)),
        ("x = a + b  # noqa # qprep: ignore[QP101]\n", (1, 1)),
        ("x = a + b  # qprep: ignore[QP101] # noqa\n", (1, 1)),
        ("x = (a +\n     b)  # qprep: ignore[QP101]\n", (1, 2)),
        ("x = (a +  # qprep: ignore[QP101]\n     b)\n", (1, 2)),
        ("x = (\n    # qprep: ignore[QP101]\n    a + b)\n", (1, 3)),
        ("# qprep: ignore[QP101]\nx = a + b\n", (2, 2)),
        ("# qprep: ignore[QP101]\n# qprep: ignore[QP102]\nx = a + b\n", (3, 3)),
        ("# qprep: ignore-file[QP101] reason\n\n\nx = a + b\n", (4, 4)),
        ("y = 1\n    # qprep: ignore-file[QP101]\nx = a + b\n", (3, 3)),
    ],
)
def test_suppresses(text: str, statement: tuple[int, int]) -> None:
    found = finding(*statement)
    assert judged(text, found).suppressed == (found,)


@pytest.mark.parametrize(
    "text",
    [
        "# qprep: ignore[QP101]\n\nx = a + b\n",
        "y = 1  # qprep: ignore[QP101]\n\nx = a + b\n",
        "\n'# qprep: ignore[QP101]'\nx = a + b\n",
        "\n\nx = a + b  # qprep: ignore[QP102]\n",
        "\n\nx = a + b  # qprep: ignore\n",
        "\n\nx = a + b  # qprep: ignore-file[QP101]\n",
        "\n\nx = a + b  # see qprep: ignore[QP101]\n",
    ],
)
def test_does_not_suppress(text: str) -> None:
    found = finding(3)
    result = judged(text, found)
    assert result.suppressed == ()
    assert found in result.kept


def test_a_comment_before_a_statement_does_not_reach_the_line_after_it() -> None:
    first, second = finding(2), finding(3)
    result = judged("# qprep: ignore[QP101]\nx = a + b\ny = a + b\n", first, second)
    assert (result.suppressed, result.kept) == ((first,), (second,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1  # qprep: ignore[QP101]\n", ("QP005", "`QP101` suppresses nothing here")),
        ("x = 1  # qprep: ignore[QP1011]\n", ("QP004", "`QP1011` is not a rule; did you mean `QP101`?")),
        ("x = 1  # qprep: ignore[zz]\n", ("QP004", "`zz` is not a rule")),
        ("x = 1  # qprep: ignore-file[QP101]\n", ("QP004", "`ignore-file` must be on a separate line")),
        ("# qprep: ignore-file[QP102]\n", ("QP005", "`QP102` suppresses nothing here")),
    ],
)
def test_unknown_and_unused(text: str, said: tuple[str, str]) -> None:
    assert faults(text) == [said]


@pytest.mark.parametrize("comment", ["# qprep: ignore", "# qprep: ignore[]", "# qprep: off", "# qprep: ignroe[QP101]"])
def test_directives_that_name_no_rule(comment: str) -> None:
    ((code, message),) = faults(f"x = a + b  {comment}\n")
    assert code == "QP004"
    assert message.startswith("expected `# qprep: ignore[CODE, …] reason`")


def test_only_rules_that_ran_can_be_unused() -> None:
    text = "x = 1  # qprep: ignore[QP101, QP102, QP1]\n"
    kept = judged(text, enabled=frozenset({"QP102", "QP005"})).kept
    assert [item.message for item in kept] == ["`QP102` suppresses nothing here", "`QP1` suppresses nothing here"]
    assert judged(text, enabled=frozenset({"QP102"})).kept == ()  # QP005 itself is off


def test_place_is_the_directive() -> None:
    (found,) = judged("x = 1  # noqa # qprep: ignore[QP101] why\n").kept
    assert (found.start, found.end) == (Position(1, 15), Position(1, 41))


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("x = 1  # qprep: ignore[QP101] why\n", "x = 1\n"),
        ("x = 1  # qprep: ignore[QP101]", "x = 1"),
        ("    # qprep: ignore[QP101]\r\nx = 1\r\n", "x = 1\r\n"),
        ("# qprep: ignore-file[QP101]", ""),
        ("x = 1  # noqa # qprep: ignore[QP101]\n", "x = 1  # noqa\n"),
        ("x = 1  # qprep: ignore[QP101] why # noqa\n", "x = 1  # noqa\n"),
        ("x = a - b  # qprep: ignore[QP101, QP102] why\n", "x = a - b  # qprep: ignore[QP102] why\n"),
        ("x = a - b  # qprep: ignore[QP1011, QP102]\n", "x = a - b  # qprep: ignore[QP102]\n"),
    ],
)
def test_removal(text: str, after: str) -> None:
    found = finding(1, code=SUB.code)
    used = (found,) if "QP102" in text else ()
    (fault,) = judged(text, *used).kept
    assert isinstance(fault.fix, Fix)
    assert apply_fixes({"a.py": text}, [fault.fix]).texts["a.py"] == after


def test_files_without_the_mark_are_not_tokenized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SourceFile, "tokens", lambda _: pytest.fail("tokenized"))
    assert read(source_of("x = a + b  # plain\n")) == ()


def test_source_that_does_not_tokenize_keeps_what_was_read() -> None:
    assert len(read(source_of("# qprep: ignore[QP101]\nx = (\n"))) == 1
