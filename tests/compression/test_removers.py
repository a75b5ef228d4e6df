"""Removers in a training: what policies mask as channels goes, what they leave empty by chance stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from qprep.compression import (
    GroupLassoRegularizer,
    MagnitudeParameterPruner,
    Pruner,
    PruningPolicy,
    RegularizationPolicy,
    Scheduler,
    SensitivityPruner,
    SparsityLevelParameterPruner,
    ThinningPolicy,
)
from qprep.compression.policies.thinning import _is_of_rows
from qprep.compression.pruners import ranked
from tests.compression.nets import EXAMPLE, plain_net, seeded, sgd, train

L1 = ranked.L1RankedStructureParameterPruner
EMPTY = 3  # the filter of the first layer that has small weights


def net(*, shifted: bool = True) -> Any:
    """With one filter of small weights, and BatchNorms that add a constant, if `shifted`."""
    model = seeded(plain_net)
    with torch.no_grad():
        model[0].weight[EMPTY] *= 1e-4
        for each in (model[1], model[4]):
            each.bias.fill_(0.5 if shifted else 0.0)
        if not shifted:
            model[0].bias.zero_()
    return model


PRUNERS: list[Callable[[], Pruner]] = [
    lambda: SparsityLevelParameterPruner({"0.weight": 0.4}),
    lambda: MagnitudeParameterPruner({"0.weight": 0.01}),
    lambda: SensitivityPruner({"0.weight": 0.1}),
]


@pytest.mark.parametrize("make", PRUNERS, ids=["level", "magnitude", "sensitivity"])
def test_a_filter_that_single_weights_left_empty_stays_with_a_note(make: Callable[[], Pruner]) -> None:
    model = net()
    scheduler = Scheduler(model, sgd(model, 1e-6), example_inputs=EXAMPLE)
    scheduler.add_policy(PruningPolicy(make()), epochs=[0])
    scheduler.add_policy(PruningPolicy(L1("Filters", 0.5, "3.weight")), epochs=[0])
    scheduler.add_policy(ThinningPolicy(), epochs=[1])
    train(scheduler, range(1))
    assert not model[0].weight[EMPTY].any()
    expected = model.eval()(EXAMPLE)
    model.train()
    scheduler.on_epoch_begin(1)
    scheduler.on_minibatch_begin(1)
    assert (len(model[0].weight), len(model[3].weight)) == (8, 4)
    assert torch.allclose(model.eval()(EXAMPLE), expected, atol=1e-6)
    notes = [each for each in scheduler.notes if " of 0.weight stay: their weights are 0, but the model " in each]
    assert len(notes) == 1


def test_a_filter_that_single_weights_left_empty_goes_where_it_computes_nothing() -> None:
    model = net(shifted=False)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    scheduler.add_policy(PruningPolicy(MagnitudeParameterPruner({"0.weight": 0.01})), epochs=[0])
    scheduler.add_policy(ThinningPolicy(), epochs=[0])
    with torch.no_grad():
        model[1].running_mean.zero_()
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    assert len(model[0].weight) < 8
    assert not [each for each in scheduler.notes if "stay" in each]


@pytest.mark.parametrize("group", ["Filters", "Channels", "2D", "4D"])
def test_a_layer_that_is_0_as_a_whole_stops_no_training(group: str) -> None:
    """The threshold of a lasso may take all of a layer: one channel stays, or all where the BatchNorm adds to them."""
    model = net()
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    lasso = GroupLassoRegularizer({"3.weight": [9.0, group]}, "Mean_Abs")
    scheduler.add_policy(RegularizationPolicy(lasso, keep_mask=True), starting_epoch=0, ending_epoch=2)
    scheduler.add_policy(ThinningPolicy(), epochs=[1])
    train(scheduler, range(1))
    assert not model[3].weight.any()
    expected = model.eval()(EXAMPLE)
    model.train()
    scheduler.on_epoch_begin(1)
    scheduler.on_minibatch_begin(1)
    assert len(model[3].weight) in ((1,) if group == "Filters" else (8,))
    if group != "Filters":  # a mask of filters covers the BatchNorm, which the threshold alone leaves
        assert torch.allclose(model.eval()(EXAMPLE), expected, atol=1e-6)
        model.train()
    scheduler.on_minibatch_end(1)
    scheduler.on_epoch_end(1)
    train(scheduler, range(2, 4))
    assert [each for each in scheduler.notes if "of 3.weight" in each or "of 0.weight" in each]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (torch.tensor([[True, True], [False, False]]), True),
        (torch.tensor([[True, False], [True, False]]), True),
        (torch.tensor([[True, False], [False, True]]), False),
        (torch.tensor([[True, False], [False, False]]), False),
        (torch.zeros(2, 2, dtype=torch.bool), False),
        (torch.tensor([True, False, True]), True),
    ],
)
def test_masks_of_rows(mask: Tensor, expected: bool) -> None:
    assert _is_of_rows(mask) is expected
