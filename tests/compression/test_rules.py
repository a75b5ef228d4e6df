"""Pruners against the formulas that they state, by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from qprep.compression import (
    AutomatedGradualPruner,
    CompressionError,
    MagnitudeParameterPruner,
    NMPruner,
    PruningPolicy,
    Scheduler,
    SensitivityPruner,
    SparsityLevelParameterPruner,
)
from qprep.compression.pruners.baidu import BaiduRNNPruner
from qprep.compression.pruners.pruner import Pruner, keep_highest
from qprep.compression.pruners.rates import RATES, Ramp
from qprep.compression.pruners.splicing import SplicingPruner
from tests.compression.nets import plain_net, seeded, sgd, train


def linear(values: list[list[float]]) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(len(values[0]), len(values)))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(values))  # type: ignore[operator]
    return model


def masks_over(pruner: Pruner, model: nn.Module, run: range, **when: Any) -> list[torch.Tensor]:
    """The masks of `0.weight` at the beginning of each epoch; weights never change."""
    scheduler = Scheduler(model)
    scheduler.add_policy(PruningPolicy(pruner, mask_on_forward_only=True, use_double_copies=True), **when)
    found = []
    for epoch in run:
        scheduler.on_epoch_begin(epoch)
        mask = scheduler.masks["0.weight"]
        found.append(torch.ones(0) if mask is None else mask)
        scheduler.on_epoch_end(epoch)
    return found


def test_agp_follows_its_formula_in_each_scheduled_epoch() -> None:
    """0.05 to 0.70 over epochs 0 to 30, every second: s_f + (s_i - s_f)(1 - e / 28)³."""
    model = seeded(lambda: nn.Sequential(nn.Linear(100, 100)))
    pruner = AutomatedGradualPruner(0.05, 0.70, "0.weight")
    found = masks_over(pruner, model, range(32), starting_epoch=0, ending_epoch=30, frequency=2)
    for epoch in range(32):
        scheduled = min(epoch // 2 * 2, 28)
        wanted = 0.70 + (0.05 - 0.70) * (1 - scheduled / 28) ** 3
        assert int((~found[epoch]).sum()) == round(wanted * 10_000)


@pytest.mark.parametrize("rate", RATES)
def test_rates_begin_at_the_initial_and_end_at_the_final_sparsity(rate: str) -> None:
    ramp = Ramp(0.1, 0.9, rate)
    assert ramp.at(0) == pytest.approx(0.9 if rate == "once" else 0.1, abs=1e-12)
    assert ramp.at(1) == pytest.approx(0.9, abs=1e-12)
    middle = {
        "cubic": 0.9 - 0.8 / 8,
        "cosine": 0.5,
        "exponential": 0.1 + 0.8 * (1 - math.exp(-2.5)) / (1 - math.exp(-5)),
        "linear": 0.5,
        "once": 0.9,
    }
    assert ramp.at(0.5) == pytest.approx(middle[rate], abs=1e-12)


def test_levels_are_exact_and_ties_go_by_position() -> None:
    model = linear([[1, 1, 1, 1], [1, 1, 1, 1]])
    (mask,) = masks_over(SparsityLevelParameterPruner({"0.weight": 0.375}), model, range(1), epochs=[0])
    assert mask.tolist() == [[False, False, False, True], [True, True, True, True]]


@pytest.mark.parametrize("number", [0, 1, 3, 4, 6, 7, 9])
def test_the_lowest_go_the_first_of_equal_ones_first(number: int) -> None:
    scores = torch.tensor([[2.0, 1.0, 1.0], [0.0, 1.0, 3.0], [float("nan"), 2.0, -0.0]])
    order = [3, 8, 1, 2, 4, 0, 7, 5, 6]  # what is no number counts as the highest
    assert keep_highest(scores, number).flatten().logical_not().nonzero().flatten().tolist() == sorted(order[:number])


def test_star_is_the_level_of_all_others() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model)
    scheduler.add_policy(PruningPolicy(SparsityLevelParameterPruner({"0.weight": 0.5, "*": 0.25})), epochs=[0])
    scheduler.on_epoch_begin(0)
    assert scheduler.sparsities() == {"0.weight": 0.5, "3.weight": 0.25, "8.weight": 0.25}


def test_magnitude_keeps_what_is_above_the_threshold() -> None:
    model = linear([[0.1, -0.2], [0.3, -0.4]])
    (mask,) = masks_over(MagnitudeParameterPruner({"0.weight": float(torch.tensor(0.2))}), model, range(1), epochs=[0])
    assert mask.tolist() == [[False, False], [True, True]]


def test_sensitivity_has_the_deviation_of_its_first_use() -> None:
    model = seeded(lambda: nn.Sequential(nn.Linear(20, 20)))
    before = model[0].weight.detach().clone()
    scheduler = Scheduler(model)
    pruner = SensitivityPruner({"0.weight": 0.5})
    scheduler.add_policy(PruningPolicy(pruner), starting_epoch=0, ending_epoch=2)
    scheduler.on_epoch_begin(0)
    threshold = 0.5 * float(before.std())
    assert torch.equal(scheduler.masks["0.weight"], before.abs() > threshold)  # type: ignore[arg-type]
    scheduler.on_epoch_end(0)
    with torch.no_grad():
        model[0].weight.mul_(2)
    scheduler.on_epoch_begin(1)
    doubled = (2 * before).abs() > threshold
    assert torch.equal(scheduler.masks["0.weight"], doubled & (before.abs() > threshold))  # type: ignore[arg-type]


def test_splicing_takes_weights_out_and_back_in() -> None:
    model = linear([[0.1, 0.5], [0.9, 1.3]])
    weight: torch.Tensor = model[0].weight.detach()  # type: ignore[operator]
    pruner = SplicingPruner({"0.weight": 0.2}, 0.9, 1.1)
    scheduler = Scheduler(model)
    policy = PruningPolicy(pruner, mask_on_forward_only=True, use_double_copies=True)
    scheduler.add_policy(policy, starting_epoch=0, ending_epoch=3)
    mean, deviation = float(weight.abs().mean()), float(weight.abs().std())
    threshold = mean + 0.2 * deviation
    kept = torch.ones(2, 2, dtype=torch.bool)
    for epoch, value in enumerate((0.1, threshold * 1.05, threshold * 1.2)):
        weight[0, 0] = value  # between the two thresholds it stays out, above both it comes back
        scheduler.on_epoch_begin(epoch)
        kept = (kept | (weight.abs() >= 1.1 * threshold)) & (weight.abs() >= 0.9 * threshold)
        assert torch.equal(scheduler.masks["0.weight"], kept)  # type: ignore[arg-type]
        assert bool(kept[0, 0]) == (epoch == 2)
        scheduler.on_epoch_end(epoch)


def test_splicing_sensitivity_grows_by_epochs() -> None:
    model = seeded(lambda: nn.Sequential(nn.Linear(30, 30)))
    weight = model[0].weight.detach().abs()
    pruner = SplicingPruner({"0.weight": 0.1}, 1.0, 1.0, 0.5)
    found = masks_over(pruner, model, range(2, 6), starting_epoch=2, ending_epoch=6)
    for place, mask in enumerate(found):
        threshold = float(weight.mean()) + 0.1 * (1 + 0.5 * place) * float(weight.std())
        assert torch.equal(mask, weight >= threshold)


def test_baidu_has_two_slopes() -> None:
    """q 0.17, from epoch 4 to 21 every 3, the ramp 3 epochs after the start and twice as steep."""
    model = seeded(lambda: nn.Sequential(nn.Linear(50, 50)))
    weight = model[0].weight.detach().abs() * 3
    with torch.no_grad():
        model[0].weight.mul_(3)
    pruner = BaiduRNNPruner(0.17, 3, 2, "0.weight")
    found = masks_over(pruner, model, range(4, 22), starting_epoch=4, ending_epoch=21, frequency=3)
    theta = 2 * 0.17 * 3 / (2 * (7 - 4) + 3 * (21 - 7))
    for epoch in (4, 7, 10, 13, 16, 19):
        slow = theta * (epoch - 4 + 1) / 3
        steep = (theta * (7 - 4 + 1) + 2 * theta * (epoch - 7 + 1)) / 3
        threshold = slow if epoch < 7 else steep
        assert torch.equal(found[epoch - 4], weight > threshold)


def test_a_weight_that_is_gone_as_a_whole_is_noted() -> None:
    model = seeded(plain_net)
    with torch.no_grad():
        model[3].weight.mul_(1e-3)
    scheduler = Scheduler(model, sgd(model))
    pruner = AutomatedGradualPruner(0.0, 0.9, ["0.weight", "3.weight", "8.weight"], scope="global", rate="once")
    scheduler.add_policy(PruningPolicy(pruner, name="fine"), epochs=[0])
    scheduler.on_epoch_begin(0)
    assert "fine: 3.weight is masked as a whole; its layer returns a constant" in scheduler.notes
    assert not any("0.weight" in note or "8.weight" in note for note in scheduler.notes)


def test_global_scope_ranks_all_weights_together() -> None:
    model = seeded(plain_net)
    with torch.no_grad():
        model[3].weight.mul_(0.01)
    scheduler = Scheduler(model)
    pruner = AutomatedGradualPruner(0.1, 0.5, ["0.weight", "3.weight"], scope="global")
    scheduler.add_policy(PruningPolicy(pruner), starting_epoch=0, ending_epoch=2)
    for epoch in range(2):
        scheduler.on_epoch_begin(epoch)
        scheduler.on_epoch_end(epoch)
    found = scheduler.sparsities()
    number = found["0.weight"] * 72 + found["3.weight"] * 576
    assert round(number) == round(0.5 * 648)
    assert found["0.weight"] == 0


@pytest.mark.parametrize("pattern", ["2:4", "1:4", "3:4", "1:2"])
def test_n_of_m_along_inputs(pattern: str) -> None:
    kept, group = map(int, pattern.split(":"))
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(PruningPolicy(NMPruner(pattern, ["3.weight", "8.weight"])), starting_epoch=0, ending_epoch=2)

    def check() -> None:
        for layer in (model[3], model[8]):
            rows = layer.weight.detach().movedim(1, -1).reshape(-1, group)
            assert int((rows != 0).sum(1).max()) == kept

    train(scheduler, range(3), each=check)
    assert scheduler.sparsities()["3.weight"] == pytest.approx(1 - kept / group)


def test_a_weight_that_is_no_multiple_is_refused_by_name_and_left_by_star() -> None:
    model = seeded(plain_net)
    with pytest.raises(CompressionError, match=r"inputs are a multiple of 4, found 0.weight of shape \(8, 1, 3, 3\)"):
        Scheduler(model).add_policy(PruningPolicy(NMPruner("2:4", "0.weight")), epochs=[0])
    scheduler = Scheduler(model)
    scheduler.add_policy(PruningPolicy(NMPruner("2:4", "*")), epochs=[0])
    assert [note.split(":")[0] for note in scheduler.notes] == ["0.weight"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Ramp(0.5, 0.5), "expected final_sparsity above initial_sparsity (0.5), found 0.5"),
        (lambda: Ramp(0.5, 1.5), "expected final_sparsity from 0 to 1, found 1.5"),
        (lambda: Ramp(0.0, 0.5, "cubik"), "found 'cubik'; did you mean 'cubic'?"),
        (lambda: NMPruner("4:2", "*"), "expected pattern as N:M with 0 < N < M, such as 2:4, found '4:2'"),
        (
            lambda: SplicingPruner({"a": 1}, 1.1, 0.9),
            "expected hi_thresh_mult from low_thresh_mult (1.1) on, found 0.9",
        ),
        (lambda: MagnitudeParameterPruner({"a": -1}), "expected the threshold of a from 0 on, found -1"),
        (lambda: SparsityLevelParameterPruner({"a": 2}), "expected the level of a from 0 to 1, found 2"),
    ],
)
def test_values_that_cannot_be_meant(make: object, sentence: str) -> None:
    with pytest.raises(CompressionError) as caught:
        make()  # type: ignore[operator]
    assert sentence in str(caught.value)


def test_agp_over_one_epoch_is_refused_unless_at_once() -> None:
    scheduler = Scheduler(seeded(plain_net))
    with pytest.raises(CompressionError, match="two steps or more"):
        scheduler.add_policy(PruningPolicy(AutomatedGradualPruner(0.1, 0.5, "0.weight")), epochs=[0])
    scheduler.add_policy(PruningPolicy(AutomatedGradualPruner(0.1, 0.5, "0.weight", rate="once")), epochs=[0])
    scheduler.on_epoch_begin(0)
    assert scheduler.sparsities()["0.weight"] == 0.5
