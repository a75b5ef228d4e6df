"""A decorator is evaluated with the function that it is given."""

from __future__ import annotations

import pytest

from qprep import check_source

HEAD = """\
import torch.nn.functional as F
from torch import nn


def register(function=None):
    def decorate(self, x):
        return F.relu(x)

{body}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @register
    def forward(self, x):
        return self.fc(x)
"""
BACK = (
    "    if function:\n        return function\n    return decorate",
    "    if not function:\n        return decorate\n    return function",
    "    if function is not None:\n        return function\n    return decorate",
    "    if function is None:\n        return decorate\n    return function",
    "    return decorate if function is None else function",
)
INSTEAD = ("    return decorate", "    if function:\n        return decorate\n    return function")


@pytest.mark.parametrize("body", BACK)
def test_what_a_decorator_makes_without_a_function_does_not_run(body: str) -> None:
    assert check_source(HEAD.format(body=body)) == ()


@pytest.mark.parametrize("body", INSTEAD)
def test_what_a_decorator_puts_in_place_of_the_function_runs(body: str) -> None:
    assert [finding.code for finding in check_source(HEAD.format(body=body))] == ["QP301"]


def test_a_decorator_that_hands_back_one_function_wraps_another() -> None:
    body = "    return decorate if function.__name__ == 'forward' else function"
    assert [finding.code for finding in check_source(HEAD.format(body=body))] == ["QP301"]
