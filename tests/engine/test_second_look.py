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
