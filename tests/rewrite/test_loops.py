"""Loops whose length is known at construction get all their instances there."""

from __future__ import annotations

import pytest

from qprep.engine.api import fix_source

MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, n: int = 3):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(n))
        self.n = n
        if n > 2:
            self.rounds = 2

    def forward(self, x):
        for {header}:
            x = x * x
        return x
"""


@pytest.mark.parametrize(
    ("header", "length"),
    [
        ("layer in self.layers", "len(self.layers)"),
        ("i, layer in enumerate(self.layers)", "len(self.layers)"),
        ("layer, other in zip(self.layers, self.layers)", "len(self.layers)"),
        ("_ in range(self.n)", "self.n"),
        ("_ in range(2)", "2"),
    ],
)
def test_known_lengths(header: str, length: str) -> None:
    """One instance for each round is made in the constructor."""
    text, _ = fix_source(MODEL.format(header=header))
    assert f"self.mul = PerCall(EltwiseMul(), owner=self, length={length})" in text


@pytest.mark.parametrize("header", ["_ in range(x.size(0))", "_ in range(self.rounds)", "part in x"])
def test_unknown_lengths(header: str) -> None:
    """A value that is not always set at the end of the constructor is not a length: instances grow with the calls."""
    text, _ = fix_source(MODEL.format(header=header))
    assert "self.mul = PerCall(EltwiseMul(), owner=self)\n" in text
