from __future__ import annotations

import pytest

from qprep.engine.rule_selection import RuleVerdict, Selection, SelectionSource, validate
from qprep.foundation.errors import QprepError
from tests.fake_engine import ADD, MUL, RULES, SUB

CASES = [
    (SelectionSource(), SelectionSource(), "101 102 201"),
    (SelectionSource(select=("QP1",)), SelectionSource(), "101 102"),
    (SelectionSource(select=()), SelectionSource(), ""),
    (SelectionSource(select=("QP1",), ignore=("QP102",)), SelectionSource(), "101"),
    (SelectionSource(select=("QP102",), ignore=("QP1",)), SelectionSource(), "102"),
    (SelectionSource(select=("QP1",), ignore=("QP1",)), SelectionSource(), ""),
    (SelectionSource(ignore=("ALL",), extend=("tensor-mul",)), SelectionSource(), "201"),
    (SelectionSource(select=("QP2",)), SelectionSource(select=("QP1",)), "101 102"),
    (SelectionSource(ignore=("QP102",)), SelectionSource(select=("QP1",)), "101"),
    (SelectionSource(ignore=("QP102",)), SelectionSource(select=("QP102",)), "102"),
    (SelectionSource(ignore=("QP1",)), SelectionSource(extend=("QP101",)), "101 201"),
    (SelectionSource(select=("QP101", "QP2")), SelectionSource(ignore=("QP1",)), "201"),
    (SelectionSource(), SelectionSource(select=("QP101",), ignore=("QP1",)), "101"),
    (SelectionSource(), SelectionSource(select=("QP1",), ignore=("QP101",)), "102"),
]


@pytest.mark.parametrize(("file", "cli", "on"), CASES)
def test_the_more_specific_wins_and_the_command_line_over_the_file(
    file: SelectionSource, cli: SelectionSource, on: str
) -> None:
    codes = Selection(file, cli).codes((ADD, SUB, MUL))
    assert sorted(codes) == [f"QP{number}" for number in on.split()]


def test_verdict_names_the_selector() -> None:
    selection = Selection(SelectionSource(extend=("QP2",), select=("QP1",), ignore=("tensor-sub",)), SelectionSource())
    assert selection.verdict(ADD) == RuleVerdict(True, "select QP1")
    assert selection.verdict(SUB) == RuleVerdict(False, "ignore tensor-sub")
    assert selection.verdict(MUL) == RuleVerdict(True, "extend-select QP2")


@pytest.mark.parametrize("selector", ["QP9", "qp101", "Q", "", "E501", "tensor"])
def test_selectors_that_mean_no_rule_are_errors(selector: str) -> None:
    with pytest.raises(QprepError, match=f"here: unknown rule `{selector}`"):
        validate([selector], RULES, "here")
