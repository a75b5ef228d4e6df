from __future__ import annotations

import pytest

from qprep.engine.rule_selection import Layer, Selection, Verdict, did_you_mean, validate
from qprep.foundation.errors import QprepError
from tests.fake_engine import ADD, MUL, RULES, SUB

CASES = [
    (Layer(), Layer(), "101 102 201"),
    (Layer(select=("QP1",)), Layer(), "101 102"),
    (Layer(select=()), Layer(), ""),
    (Layer(select=("QP1",), ignore=("QP102",)), Layer(), "101"),
    (Layer(select=("QP102",), ignore=("QP1",)), Layer(), "102"),
    (Layer(select=("QP1",), ignore=("QP1",)), Layer(), ""),
    (Layer(ignore=("ALL",), extend=("tensor-mul",)), Layer(), "201"),
    (Layer(select=("QP2",)), Layer(select=("QP1",)), "101 102"),
    (Layer(ignore=("QP102",)), Layer(select=("QP1",)), "101"),
    (Layer(ignore=("QP102",)), Layer(select=("QP102",)), "102"),
    (Layer(ignore=("QP1",)), Layer(extend=("QP101",)), "101 201"),
    (Layer(select=("QP101", "QP2")), Layer(ignore=("QP1",)), "201"),
    (Layer(), Layer(select=("QP101",), ignore=("QP1",)), "101"),
    (Layer(), Layer(select=("QP1",), ignore=("QP101",)), "102"),
]


@pytest.mark.parametrize(("file", "cli", "on"), CASES)
def test_the_more_specific_wins_and_the_command_line_over_the_file(file: Layer, cli: Layer, on: str) -> None:
    codes = Selection(file, cli).codes((ADD, SUB, MUL))
    assert sorted(codes) == [f"QP{number}" for number in on.split()]


def test_verdict_names_the_selector() -> None:
    selection = Selection(Layer(extend=("QP2",), select=("QP1",), ignore=("tensor-sub",)), Layer())
    assert selection.verdict(ADD) == Verdict(True, "select QP1")
    assert selection.verdict(SUB) == Verdict(False, "ignore tensor-sub")
    assert selection.verdict(MUL) == Verdict(True, "extend-select QP2")


@pytest.mark.parametrize("selector", ["QP9", "qp101", "Q", "", "E501", "tensor"])
def test_selectors_that_mean_no_rule_are_errors(selector: str) -> None:
    with pytest.raises(QprepError, match=f"here: unknown rule `{selector}`"):
        validate([selector], RULES, "here")


def test_did_you_mean() -> None:
    assert did_you_mean("tensor-ad", ["tensor-add"]) == "; did you mean `tensor-add`?"
    assert did_you_mean("qp101", ["QP101"]) == "; did you mean `QP101`?"
    assert did_you_mean("zzz", ["QP101"]) == ""
