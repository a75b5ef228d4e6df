"""The nearest name in an error message."""

from __future__ import annotations

import pytest

from qprep.foundation.suggestions import did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "expected"),
    [("bits_weight", "bits_weights"), ("qp101", "QP101"), ("mae", "max"), ("something else", None), ("", None)],
)
def test_the_nearest_name(word: str, expected: str | None) -> None:
    assert nearest(word, ["bits_weights", "QP101", "max"]) == expected


def test_a_hint_ends_a_sentence() -> None:
    assert did_you_mean("maxx", ["max"]) == "; did you mean 'max'?"
    assert did_you_mean("maxx", ["max"], "`") == "; did you mean `max`?"
    assert did_you_mean("maxx", []) == ""
