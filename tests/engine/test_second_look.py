"""Findings in rewritten text that are not a fault of the rewrite."""

from __future__ import annotations

import pytest

from qprep.engine.second_look import Before
from qprep.foundation.findings import Finding, Position

OLD = "def scaled(x, window):\n    return x / window.pow(\n        2.0)\n"
NEW = "def forward(self, x, window):\n    return self.div(x, window.pow(\n            2.0))\n"


def _finding(code: str, start: tuple[int, int], end: tuple[int, int]) -> Finding:
    return Finding(code, "a-name", "", "", "m.py", Position(*start), Position(*end), (start[0], end[0]))


POWER = _finding("QP104", (2, 24), (3, 17))  # `window.pow(2.0)` in NEW, over two lines
DIVISION = _finding("QP101", (2, 12), (3, 18))  # `self.div(…)`, which OLD does not have


def test_old_code_that_was_reported_nowhere_was_overlooked() -> None:
    assert Before(OLD, []).overlooked(POWER, NEW)


def test_code_that_was_to_be_fixed_and_is_still_there_was_not() -> None:
    reported = _finding("QP104", (2, 16), (3, 13))  # the same expression in OLD
    assert not Before(OLD, [reported]).overlooked(POWER, NEW)


def test_the_same_code_under_another_rule_was_overlooked() -> None:
    reported = _finding("QP102", (2, 16), (3, 13))
    assert Before(OLD, [reported]).overlooked(POWER, NEW)


def test_code_that_the_rewrite_wrote_was_not() -> None:
    assert not Before(OLD, []).overlooked(DIVISION, NEW)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_findings(newline: str) -> None:
    text = f"\x0c{newline}y = a + b{newline}"
    finding = _finding("QP101", (2, 5), (2, 10))
    assert Before(text, []).overlooked(finding, text)
    assert not Before("\x0c", []).overlooked(finding, text)


PARTLY_OLD = "def mean(x, mask):\n    x = x[mask].sum() / mask.sum().clamp(min=1)\n    return x.abs() * mask + 1\n"
PARTLY = "    return self.sum(x[mask]) / mask.sum().clamp(min=1)\n"
BOTH = "    return self.sum(x[mask]) / self.sum(mask)\n"
OTHER = "    return self.sum(x[mask]) / mask.mean()\n"


@pytest.mark.parametrize(("new", "is_old"), [(PARTLY, True), (BOTH, True), (OTHER, False)])
def test_old_code_may_call_new_modules(new: str, is_old: bool) -> None:
    finding = _finding("QP101", (1, 12), (1, len(new)))
    assert Before(PARTLY_OLD, []).overlooked(finding, new) is is_old


@pytest.mark.parametrize("new", [PARTLY, BOTH])
def test_old_code_that_was_reported_may_call_new_modules(new: str) -> None:
    finding = _finding("QP101", (1, 12), (1, len(new)))
    reported = _finding("QP101", (2, 9), (2, 49))
    assert not Before(PARTLY_OLD, [reported]).overlooked(finding, new)


def test_a_call_of_a_new_module_is_none_of_the_old_code() -> None:
    new = "    return self.sum(self.abs(x))\n"
    finding = _finding("QP201", (1, 12), (1, len(new)))
    assert not Before(PARTLY_OLD, []).overlooked(finding, new)
