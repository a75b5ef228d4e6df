"""Instances of one's own where one instance stood in several places."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qprep.runtime_modules import distinct, unshared


def test_a_module_without_parameters_is_copied() -> None:
    act = nn.LeakyReLU(0.3)
    copy = unshared(act)
    assert copy is not act
    assert isinstance(copy, nn.LeakyReLU)
    assert copy.negative_slope == 0.3


@pytest.mark.parametrize(
    "given",
    [nn.PReLU(), nn.BatchNorm1d(3, affine=False), None, torch.relu],
    ids=["prelu", "batch_norm", "none", "function"],
)
def test_anything_else_is_given_back(given: object) -> None:
    assert unshared(given) is given


def test_repeated_modules_are_copied_but_the_first() -> None:
    act, layer = nn.ReLU(), nn.Linear(2, 2)
    found = distinct([act, layer] * 2)
    assert found[0] is act
    assert found[1] is found[3] is layer
    assert type(found[2]) is nn.ReLU
    assert found[2] is not act


def test_a_tuple_takes_part() -> None:
    assert len({id(act) for act in distinct((nn.ReLU(),) * 3)}) == 3


def test_no_random_numbers_are_drawn() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    distinct([nn.Dropout()] * 3)
    assert torch.equal(torch.get_rng_state(), before)
