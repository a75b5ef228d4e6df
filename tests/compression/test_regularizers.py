"""Regularizers: penalties by hand, thresholds, proximal steps that reach 0 and stay there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from qprep.compression import (
    BatchNormSlimming,
    ChannelLasso,
    CompressionError,
    GroupLassoRegularizer,
    GroupVarianceRegularizer,
    L1Regularizer,
    RegularizationPolicy,
    Regularizer,
    Scheduler,
    ThinningPolicy,
)
from tests.compression.nets import EXAMPLE, Residual, batches, plain_net, seeded, sgd, train


def penalty(model: nn.Module, regularizer: Regularizer) -> float:
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    scheduler.add_policy(RegularizationPolicy(regularizer), epochs=[0])
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    found = scheduler.before_backward_pass(0, loss=torch.zeros(()), return_loss_components=True)
    (part,) = found.loss_components
    assert float(part.value.detach()) == float(found.overall_loss.detach())
    return float(part.value.detach())


@pytest.mark.parametrize(
    ("group", "name", "norm"),
    [
        ("Filters", "conv2.weight", lambda w: w.flatten(1).norm(dim=1).sum()),
        ("3D", "conv2.weight", lambda w: w.flatten(1).norm(dim=1).sum()),
        ("Channels", "conv2.weight", lambda w: w.pow(2).sum((0, 2, 3)).sqrt().sum()),
        ("2D", "conv2.weight", lambda w: w.pow(2).sum((2, 3)).sqrt().sum()),
        ("4D", "conv2.weight", lambda w: w.norm()),
        ("Channels+4D", "conv2.weight", lambda w: w.pow(2).sum((0, 2, 3)).sqrt().sum() + w.norm()),
        ("Rows", "fc.weight", lambda w: w.norm(dim=1).sum()),
        ("Cols", "fc.weight", lambda w: w.norm(dim=0).sum()),
        ("Rows+Cols", "fc.weight", lambda w: w.norm(dim=0).sum() + w.norm(dim=1).sum()),
    ],
)
def test_group_lasso_is_the_sum_of_norms(group: str, name: str, norm: Callable[[Tensor], Tensor]) -> None:
    model = seeded(Residual)
    wanted = 0.0008 * float(norm(model.get_parameter(name).detach()))
    assert penalty(model, GroupLassoRegularizer({name: [0.0008, group]})) == pytest.approx(wanted, abs=1e-6)


def test_l1_slimming_and_variance() -> None:
    model = seeded(Residual)
    with torch.no_grad():
        model.bn1.weight.fill_(-0.5)
    assert penalty(model, L1Regularizer({"bn1.weight": 0.1})) == pytest.approx(0.1 * 4, abs=1e-6)
    assert penalty(model, BatchNormSlimming(0.1)) == pytest.approx(0.1 * (4 + 12 + 8), abs=1e-6)
    norms = model.conv2.weight.detach().flatten(1).norm(dim=1)
    wanted = 0.01 / float(norms.var())
    found = penalty(model, GroupVarianceRegularizer({"conv2.weight": [0.01, "Filters"]}))
    assert found == pytest.approx(wanted, rel=1e-5)
    channels = penalty(model, GroupVarianceRegularizer({"conv2.weight": [0.01, "Channels"]}))
    assert penalty(model, GroupVarianceRegularizer({"conv2.weight": 0.01})) == channels
    with pytest.raises(CompressionError, match=r"two groups or more for a variance, found one of kind '4D' in conv2"):
        penalty(model, GroupVarianceRegularizer({"conv2.weight": [0.01, "4D"]}))


def test_the_gradient_of_a_group_at_0_is_0() -> None:
    model = seeded(Residual)
    with torch.no_grad():
        model.conv2.weight[0] = 0
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(RegularizationPolicy(GroupLassoRegularizer({"conv2.weight": [1.0, "Filters"]})), epochs=[0])
    train(scheduler, range(1))
    assert bool(torch.isfinite(model.conv2.weight).all())


@pytest.mark.parametrize("criteria", ["Max", "Mean_Abs"])
def test_groups_below_the_strength_are_set_to_0_and_kept(criteria: str) -> None:
    model = seeded(Residual)
    with torch.no_grad():
        model.conv2.weight[:6] *= 1e-4
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    scheduler = Scheduler(model, optimizer)
    lasso = GroupLassoRegularizer({"conv2.weight": [0.001, "Filters"]}, criteria)
    scheduler.add_policy(RegularizationPolicy(lasso, keep_mask=True), starting_epoch=0, ending_epoch=2)
    train(scheduler, range(1))
    assert scheduler.masks["conv2.weight"] is None
    assert scheduler.sparsities()["conv2.weight"] == 0.5
    train(scheduler, range(1, 2))
    optimizer.param_groups[0]["lr"] = 0.1
    train(scheduler, range(2, 3))
    mask = scheduler.masks["conv2.weight"]
    assert mask is not None
    assert mask.flatten(1).any(1).tolist() == [False] * 6 + [True] * 6  # type: ignore[unreachable]
    assert scheduler.sparsities()["conv2.weight"] == 0.5


def test_a_proximal_step_shrinks_norms_by_rate_times_strength() -> None:
    model = seeded(Residual)
    before = model.conv2.weight.detach().flatten(1).norm(dim=1)
    limit = float(before.median())
    optimizer = torch.optim.SGD([{"params": model.parameters(), "lr": 0.5}])
    scheduler = Scheduler(model, optimizer)
    lasso = GroupLassoRegularizer({"conv2.weight": [2 * limit, "Filters"]}, proximal=True)
    scheduler.add_policy(RegularizationPolicy(lasso), epochs=[0])
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    optimizer.step()  # without gradients: the proximal step alone
    after = model.conv2.weight.detach().flatten(1).norm(dim=1)
    assert torch.allclose(after, (before - limit).clamp(min=0), atol=1e-6)
    mask = scheduler.masks["conv2.weight"]
    assert mask is not None
    assert mask.flatten(1).all(1).tolist() == (before > limit).tolist()


def test_channels_of_several_layers_shrink_like_those_of_one() -> None:
    """conv1 and conv3 compute the same channels: with equal γ all groups shrink by rate · λ in each γ."""
    model = seeded(Residual)
    optimizer = sgd(model, 0.5)
    scheduler = Scheduler(model, optimizer, example_inputs=EXAMPLE)
    lasso = ChannelLasso(0.5, proximal=True)
    scheduler.add_policy(RegularizationPolicy(lasso), epochs=[0])
    penalty = lasso.loss()
    assert penalty is not None
    assert float(penalty.detach()) == pytest.approx(0.5 * (8 * 2 + 12), rel=1e-5)
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    optimizer.step()
    for norm in (model.bn1, model.bn2, model.bn3):
        assert norm.weight.detach().tolist() == pytest.approx([0.75] * len(norm.weight))


def remember(gamma: Tensor, seen: list[Tensor]) -> None:
    seen.append(gamma.detach() == 0)


def test_proximal_groups_reach_0_and_stay_where_a_penalty_reaches_none() -> None:
    """λ 0.4 on the γ of whole groups; then channels are removed and the function stays."""
    zeros = []
    for proximal in (False, True):
        model = seeded(Residual)
        scheduler = Scheduler(model, torch.optim.SGD(model.parameters(), lr=0.05), example_inputs=EXAMPLE)
        lasso = ChannelLasso(0.4, proximal=proximal)
        scheduler.add_policy(RegularizationPolicy(lasso), starting_epoch=0, ending_epoch=20)
        seen: list[Tensor] = []
        gamma = model.bn2.weight
        train(scheduler, range(20), batches(4), partial(remember, gamma, seen))
        assert all(bool((after | ~before).all()) for before, after in pairwise(seen))
        zeros.append(int(seen[-1].sum()))
    assert zeros[0] == 0
    assert zeros[1] >= 4
    gone = zeros[1]
    expected = model.eval()(EXAMPLE)
    scheduler.add_policy(ThinningPolicy(), epochs=[20])
    scheduler.on_epoch_begin(20)
    scheduler.on_minibatch_begin(20)
    assert model.conv2.weight.shape[0] == 12 - min(gone, 11)
    assert torch.allclose(model(EXAMPLE), expected, atol=1e-6)


def test_filters_in_front_of_batchnorm_are_noted() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    scheduler.add_policy(RegularizationPolicy(GroupLassoRegularizer({"0.weight": [0.1, "Filters"]})), epochs=[0])
    (note,) = scheduler.notes
    assert note.startswith("0.weight: filters in front of BatchNorm have no scale")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: GroupLassoRegularizer({"a": [-1, "Filters"]}), "expected the strength of a from 0 on, found -1"),
        (lambda: GroupLassoRegularizer({"a": 0.1}), "expected [strength, group] for a, found 0.1"),
        (lambda: GroupLassoRegularizer({"a": [0.1, "Filter"]}), "found 'Filter'; did you mean 'Filters'?"),
        (lambda: L1Regularizer({"a": 0.1}, "Min"), "expected threshold_criteria Max, Mean_Abs or none, found 'Min'"),
        (
            lambda: L1Regularizer({"a": 0.1}, "Max", proximal=True),
            "expected threshold_criteria or proximal, found both",
        ),
        (lambda: penalty(nn.Sequential(nn.Linear(2, 2)), L1Regularizer({"1.weight": 0.1})), "found '1.weight'"),
        (
            lambda: penalty(nn.Sequential(nn.Linear(2, 2)), GroupLassoRegularizer({"0.weight": [0.1, "2D"]})),
            "expected the weight of a convolution for group_type '2D'",
        ),
        (lambda: penalty(nn.Sequential(nn.Linear(2, 2)), L1Regularizer({})), "expected parameters for L1Regularizer"),
        (lambda: GroupLassoRegularizer({"a": [0.1, "3D", 1]}), "expected a third entry for a with Blocks alone"),
        (
            lambda: penalty(nn.Sequential(nn.BatchNorm1d(2)), BatchNormSlimming(0.1, ignore=["bn.weight"])),
            "expected a parameter of the model to ignore, found 'bn.weight'",
        ),
        (lambda: penalty(nn.Sequential(nn.Linear(2, 2)), BatchNormSlimming(0.1)), "expected BatchNorm with a weight"),
    ],
)
def test_regularizers_that_cannot_be_meant(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(CompressionError) as caught:
        make()
    assert sentence in str(caught.value)


REGIMES = [
    # What is regularized, the small positions along a dimension, and the width of conv2 and of conv1 in the end.
    ({"conv2.weight": [0.001, "Filters"]}, 0, (7, 8)),
    ({"conv3.weight": [0.001, "Channels"]}, 1, (7, 8)),
    ({"conv3.weight": [0.001, "Filters"]}, 0, (12, 8)),  # conv1 computes these channels as well
    ({name: [0.001, "Filters"] for name in ("conv1.weight", "conv3.weight")}, 0, (12, 3)),
    ({"conv2.weight": [0.001, "Channels"]}, 1, (12, 8)),  # fc reads these channels as well
    ({"conv2.weight": [0.001, "Channels"], "fc.weight": [0.001, "Cols"]}, 1, (12, 3)),
]


@pytest.mark.parametrize("late", [False, True], ids=["while regularized", "after it"])
@pytest.mark.parametrize(("regime", "dim", "widths"), REGIMES)
def test_channels_that_a_threshold_set_to_0_are_removed(
    regime: dict[str, list[object]], dim: int, widths: tuple[int, int], late: bool
) -> None:
    """As in Distiller's schedules, which thin in the last epoch of a group lasso; only what nothing else needs."""
    model = seeded(Residual)
    with torch.no_grad():
        for name in regime:
            model.get_parameter(name).movedim(dim, 0)[:5] *= 1e-4
    scheduler = Scheduler(model, torch.optim.SGD(model.parameters(), lr=1e-7), example_inputs=EXAMPLE)
    lasso = GroupLassoRegularizer(regime, "Mean_Abs")
    scheduler.add_policy(RegularizationPolicy(lasso, keep_mask=late), starting_epoch=0, ending_epoch=2)
    scheduler.add_policy(ThinningPolicy(), epochs=[2 if late else 1])
    train(scheduler, range(2 if late else 1))
    expected = model.eval()(EXAMPLE)
    scheduler.on_epoch_begin(2 if late else 1)
    scheduler.on_minibatch_begin(2 if late else 1)
    assert (len(model.conv2.weight), len(model.conv1.weight)) == widths
    read = [name for name in regime if dim == 1]
    assert not read or torch.allclose(model(EXAMPLE), expected, atol=1e-6)


def test_zeros_of_another_time_are_not_removed() -> None:
    """A threshold counts in the epochs of its policy alone: afterwards the optimizer may use the channel again."""
    model = seeded(Residual)
    with torch.no_grad():
        model.conv2.weight[:5] *= 1e-4
    scheduler = Scheduler(model, torch.optim.SGD(model.parameters(), lr=1e-7), example_inputs=EXAMPLE)
    lasso = GroupLassoRegularizer({"conv2.weight": [0.001, "Filters"]}, "Mean_Abs")
    scheduler.add_policy(RegularizationPolicy(lasso), epochs=[0])
    scheduler.add_policy(ThinningPolicy(), epochs=[1])
    train(scheduler, range(2))
    assert len(model.conv2.weight) == 12
    assert "nothing was removed: no channel is masked" in scheduler.notes
