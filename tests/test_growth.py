"""The work of a check grows like the length of an expression, a method and a literal: counted in lines that run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from qprep import check_source
from qprep.foundation.deep_recursion import run_with_large_stack

HEAD = """\
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
"""
ENOUGH = 1.15  # times linear: sorting and tables that grow cost a little more


Trace = Any  # a function that gives itself


def _sum(length: int) -> str:
    return f"{HEAD}        return {' + '.join(['x'] * length)}\n"


def _sum_of_calls(length: int) -> str:
    return f"{HEAD}        return {' + '.join(['F.relu(x)'] * length)}\n"


def _statements(length: int) -> str:
    lines = "".join(f"        x = F.relu(self.fc(x) + {number})\n" for number in range(length))
    return f"{HEAD}{lines}        return x\n"


def _table(length: int) -> str:
    return f"TABLE = [{', '.join(map(str, range(length)))}]\n{HEAD}        return self.fc(x)\n"


def _lines(text: str) -> int:
    """The number of Python lines that run during the check of a text."""
    counted = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Trace:
        nonlocal counted
        counted += event == "line"
        return trace

    before = sys.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        run_with_large_stack(lambda: check_source(text))
    finally:
        sys.settrace(before)
        threading.settrace(None)
    return counted


@pytest.mark.parametrize(
    ("make", "length"),
    [
        pytest.param(_sum, 150, id="sum"),
        pytest.param(_sum_of_calls, 60, id="sum of calls"),
        pytest.param(_statements, 40, id="statements"),
        pytest.param(_table, 1000, id="literal"),
    ],
)
def test_four_times_the_length_is_four_times_the_work(make: Callable[[int], str], length: int) -> None:
    _lines(make(length))  # what is loaded and remembered once
    first, second, last = (_lines(make(size)) for size in (length, 2 * length, 4 * length))
    assert last - second <= ENOUGH * 2 * (second - first)
