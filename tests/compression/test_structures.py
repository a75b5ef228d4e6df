"""Rankings of whole structures, coupled layers, thinning within a training."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from qprep.compression import (
    CompressionError,
    GroupLassoRegularizer,
    NMPruner,
    Pruner,
    PruningPolicy,
    RegularizationPolicy,
    Scheduler,
    StructurePruner,
    ThinningPolicy,
    sensitivity,
)
from qprep.compression.pruners import ranked
from qprep.compression.pruners.layouts import layout_of
from qprep.compression.pruners.reconstruction import FMReconstructionChannelPruner
from qprep.compression.pruners.structures import Gradual, StructureRanking
from qprep.compression.pruners.thresholds import StructureParameterPruner
from qprep.compression.registry import registered
from qprep.compression.structure import ThinningError
from tests.compression.nets import EXAMPLE, Residual, assert_equal, batches, plain_net, seeded, sgd, train

L1 = ranked.L1RankedStructureParameterPruner


def pruned(model: nn.Module, pruner: Pruner, **settings: object) -> Scheduler:
    """A scheduler after the first masks."""
    scheduler = Scheduler(model, sgd(model), **settings)  # type: ignore[arg-type]
    scheduler.add_policy(PruningPolicy(pruner), epochs=[0])
    scheduler.on_epoch_begin(0)
    return scheduler


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    ("group", "name", "rows"),
    [
        ("Filters", "conv2.weight", lambda w: w.flatten(1)),
        ("3D", "conv2.weight", lambda w: w.flatten(1)),
        ("Channels", "conv2.weight", lambda w: w.transpose(0, 1).flatten(1)),
        ("2D", "conv2.weight", lambda w: w.reshape(96, 9)),
        ("outputs", "fc.weight", lambda w: w),
        ("inputs", "fc.weight", lambda w: w.T),
        ("Rows", "fc.weight", lambda w: w.T),
        ("Blocks", "conv2.weight", lambda w: w.reshape(12, 2, 4, 9).transpose(2, 3).reshape(-1, 4)),
    ],
)
def test_half_of_the_structures_with_the_lowest_norms_go(
    order: int, group: str, name: str, rows: Callable[[Tensor], Tensor]
) -> None:
    model = seeded(Residual)
    weight: Tensor = model.get_parameter(name).detach().clone()
    kind = {1: L1, 2: ranked.L2RankedStructureParameterPruner}[order]
    block = {"block_shape": [1, 4, 1, 1]} if group == "Blocks" else None
    scheduler = pruned(model, kind(group, 0.5, [name], kwargs=block))
    mask = scheduler.masks[name]
    assert mask is not None
    size = rows(weight).norm(p=order, dim=1)
    gone = (~rows(mask)).all(1)
    assert int(gone.sum()) == len(size) // 2
    assert float(size[gone].max()) <= float(size[~gone].min())
    assert bool((rows(mask).all(1) | gone).all())


@pytest.mark.parametrize(("rounding", "number"), [("floor", 3), ("ceil", 4), ("round", 4)])
def test_numbers_are_rounded_and_never_all(rounding: str, number: int) -> None:
    assert L1("Filters", 0.5, "a", rounding_fn=rounding).number(8, 0.45) == number
    assert L1("Filters", 0.5, "a", rounding_fn=rounding).number(8, 0.999) == 7
    assert L1("Filters", 0.5, "a").number(8, 1.0) == 8
    assert L1("Filters", 0.5, "a", group_size=4).number(8, 0.99) == 4


def test_a_masked_filter_is_0_wherever_it_is_read() -> None:
    """Its bias and its BatchNorm are masked too, where example inputs say what belongs together."""
    model = seeded(plain_net)
    with torch.no_grad():
        model[1].bias.fill_(0.5)
    scheduler = pruned(model, L1("Filters", 0.5, "0.weight"), example_inputs=EXAMPLE)
    gone = (~scheduler.masks["0.weight"]).flatten(1).all(1)  # type: ignore[operator]
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(~scheduler.masks[name], gone), name  # type: ignore[operator]
    out = model.eval()[:3](EXAMPLE)
    assert not out[:, gone].any()
    alone = pruned(seeded(plain_net), L1("Filters", 0.5, "0.weight", weights_only=True), example_inputs=EXAMPLE)
    assert alone.masks["1.bias"] is None
    assert alone.masks["0.weight"] is not None


def test_without_example_inputs_a_note_says_what_is_not_masked() -> None:
    scheduler = pruned(seeded(plain_net), L1("Filters", 0.5, "0.weight"))
    assert scheduler.masks["1.bias"] is None
    sentence = "L1RankedStructureParameterPruner: without example_inputs masks cover the named weights alone"
    assert [note.startswith(sentence) for note in scheduler.notes] == [True]


def test_coupled_layers_agree() -> None:
    """conv1 and conv3 are added: one map of filters for both, of their mean norms."""
    model = seeded(Residual)
    norms = [each.detach().abs().flatten(1).mean(1) for each in (model.conv1.weight, model.conv3.weight)]
    scheduler = pruned(model, L1("Filters", 0.5, ["conv1.weight", "conv3.weight"]), example_inputs=EXAMPLE)
    first, second = (scheduler.masks[f"{name}.weight"].flatten(1).any(1) for name in ("conv1", "conv3"))  # type: ignore[union-attr]
    assert torch.equal(first, second)
    mean = (norms[0] + norms[1]) / 2
    assert sorted((~first).nonzero().flatten().tolist()) == sorted(mean.argsort()[:4].tolist())


def test_one_of_coupled_layers_is_masked_alone_refused_or_taken_whole() -> None:
    weights = ["conv3.weight"]
    alone = pruned(seeded(Residual), L1("Filters", 0.5, weights), example_inputs=EXAMPLE)
    assert alone.masks["conv1.weight"] is None
    assert alone.masks["bn3.bias"] is None
    assert "conv1.weight compute the same channels" in alone.notes[0]
    with pytest.raises(CompressionError, match=r"found conv1.weight left out"):
        pruned(seeded(Residual), L1("Filters", 0.5, weights, coupled="error"), example_inputs=EXAMPLE)
    whole = pruned(seeded(Residual), L1("Filters", 0.5, weights, coupled="all"), example_inputs=EXAMPLE)
    assert whole.masks["conv1.weight"] is not None


def test_the_leaders_ranking_counts_for_all() -> None:
    model = seeded(Residual)
    size = model.conv3.weight.detach().abs().flatten(1).sum(1)
    pruner = L1("Filters", 0.5, ["conv3.weight", "conv1.weight"], "Leader")
    scheduler = pruned(model, pruner, example_inputs=EXAMPLE)
    kept = scheduler.masks["conv1.weight"].flatten(1).any(1)  # type: ignore[union-attr]
    assert sorted((~kept).nonzero().flatten().tolist()) == sorted(size.argsort()[:4].tolist())


def test_fold_batchnorm_ranks_by_what_batchnorm_makes_of_a_filter() -> None:
    model = seeded(plain_net)
    factors = torch.tensor([1.0, 9, 2, 8, 3, 7, 4, 6])
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[1].weight.copy_(factors)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    scheduler.add_policy(PruningPolicy(L1("Filters", 0.5, "0.weight"), fold_batchnorm=True), epochs=[0])
    scheduler.on_epoch_begin(0)
    assert scheduler.masks["0.weight"].flatten(1).any(1).tolist() == (factors > 4).tolist()  # type: ignore[union-attr]


def test_activation_rankings_count_zeros_behind_the_batchnorm() -> None:
    for kind in (ranked.ActivationAPoZRankedFilterPruner, ranked.ActivationMeanRankedFilterPruner):
        model = seeded(plain_net)
        shift = torch.tensor([5.0, -5, 5, -5, 5, -5, 5, -5])
        with torch.no_grad():
            model[1].bias.copy_(shift)
        scheduler = Scheduler(model, sgd(model, 1e-6), example_inputs=EXAMPLE)
        scheduler.add_policy(PruningPolicy(kind("Filters", 0.5, "0.weight")), epochs=[1])
        train(scheduler, range(2))
        mask = scheduler.masks["0.weight"]
        assert mask is not None
        assert mask.flatten(1).any(1).tolist() == (shift > 0).tolist()


def test_activation_rankings_need_data_and_take_it_from_calibrate() -> None:
    pruner = ranked.ActivationAPoZRankedFilterPruner("Filters", 0.5, "0.weight")
    with pytest.raises(
        CompressionError, match="found a policy that starts at epoch 0: start it at 1, or give calibrate="
    ):
        pruned(seeded(plain_net), pruner)
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    late = PruningPolicy(ranked.ActivationAPoZRankedFilterPruner("Filters", 0.5, "0.weight"), skip_first_minibatch=True)
    scheduler.add_policy(late, epochs=[0])
    train(scheduler, range(1))
    assert scheduler.masks["0.weight"].flatten(1).any(1).sum() == 4  # type: ignore[union-attr]
    model = seeded(plain_net)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    again = ranked.ActivationAPoZRankedFilterPruner("Filters", 0.5, "0.weight")
    scheduler = Scheduler(model, example_inputs=EXAMPLE, calibrate=batches())
    scheduler.add_policy(PruningPolicy(again), epochs=[0])
    assert_equal(before, dict(model.state_dict()))
    scheduler.on_epoch_begin(0)
    assert scheduler.masks["0.weight"].flatten(1).any(1).sum() == 4  # type: ignore[union-attr]


def test_gradient_ranking_sums_gradient_times_weight() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model, 0.0))
    pruner = ranked.GradientRankedFilterPruner("Filters", 0.5, "3.weight")
    scheduler.add_policy(PruningPolicy(pruner), epochs=[1])
    data = batches(1)
    train(scheduler, range(1), data)
    gradient, weight = model[3].weight.grad.clone(), model[3].weight.detach()
    score = (gradient * weight).flatten(1).sum(1)
    scheduler.on_epoch_begin(1)
    mask = scheduler.masks["3.weight"]
    assert mask is not None
    assert sorted((~mask.flatten(1).any(1)).nonzero().flatten().tolist()) == sorted(score.argsort()[:4].tolist())


def test_random_rankings_repeat_with_the_schedulers_numbers_and_bernoulli_scales() -> None:
    found = [
        pruned(seeded(plain_net), ranked.RandomRankedFilterPruner("Filters", 0.5, "0.weight")).masks["0.weight"]
        for _ in range(2)
    ]
    assert torch.equal(found[0], found[1])  # type: ignore[arg-type]
    model = seeded(plain_net)
    before = model[3].weight.detach().clone()
    scheduler = pruned(model, ranked.BernoulliFilterPruner("Filters", 0.5, "3.weight"))
    scheduler.on_minibatch_begin(0)
    mask = scheduler.masks["3.weight"]
    weight: Tensor = model[3].weight
    assert torch.equal(weight.detach(), before * mask * 2)
    scheduler.on_minibatch_end(0)
    assert torch.equal(weight.detach(), before)


def test_a_random_level_is_within_its_range() -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(1, 100, 1)))
    scheduler = Scheduler(model)
    pruner = ranked.RandomLevelStructureParameterPruner("Filters", [0.2, 0.4], "0.weight")
    scheduler.add_policy(PruningPolicy(pruner, mask_on_forward_only=True), starting_epoch=0, ending_epoch=5)
    found = set()
    for epoch in range(5):
        scheduler.on_epoch_begin(epoch)
        found.add(round(1 - float(scheduler.masks["0.weight"].float().mean()), 2))  # type: ignore[union-attr]
        scheduler.on_epoch_end(epoch)
    assert len(found) > 2
    assert min(found) >= 0.19
    assert max(found) <= 0.4


def test_structures_below_a_threshold_go() -> None:
    model = seeded(Residual)
    weight = model.conv2.weight.detach().clone()
    limit = float(weight.abs().flatten(1).mean(1).median())
    scheduler = pruned(model, StructureParameterPruner({"conv2.weight": [limit, "Filters"]}, "Mean_Abs"))
    wanted = weight.abs().flatten(1).mean(1) > limit
    assert scheduler.masks["conv2.weight"].flatten(1).any(1).tolist() == wanted.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize(("regime", "dim"), [({"conv2.weight": "Filters"}, 0), ({"conv3.weight": "Channels"}, 1)])
@pytest.mark.parametrize("weights_only", [False, True])
def test_channels_below_a_threshold_go_as_a_whole(regime: dict[str, str], dim: int, weights_only: bool) -> None:
    model = seeded(Residual)
    ((name, group),) = regime.items()
    limit = float(model.get_parameter(name).detach().abs().transpose(0, dim).flatten(1).mean(1).median())
    pruner = StructureParameterPruner({name: [limit, group]}, "Mean_Abs", weights_only=weights_only)
    scheduler = pruned(model, pruner, example_inputs=EXAMPLE)
    assert [each for each, _ in scheduler.masks][1:] == ([] if weights_only else others_of(dim))
    if weights_only:
        return
    before = model.eval()(EXAMPLE)
    scheduler.on_epoch_end(0)
    scheduler.add_policy(ThinningPolicy(), epochs=[1])
    scheduler.on_epoch_begin(1)
    scheduler.on_minibatch_begin(1)
    assert model.conv2.weight.shape[0] == model.conv3.weight.shape[1] == 6
    assert torch.allclose(model(EXAMPLE), before, atol=1e-6)


def others_of(dim: int) -> list[str]:
    """The parameters of a channel of conv2 beside the weight that names it: of conv2, or of conv3, which reads it."""
    return (["conv2.weight"] if dim == 1 else []) + ["bn2.weight", "bn2.bias"]


def test_example_inputs_are_taken_from_the_first_run() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(PruningPolicy(L1("Filters", 0.5, "0.weight")), starting_epoch=0, ending_epoch=2)
    scheduler.add_policy(ThinningPolicy(), epochs=[2])
    train(scheduler, range(3))
    assert model[0].weight.shape == (4, 1, 3, 3)
    assert scheduler.notes[-1] == "no example inputs were given; the inputs of the first run are used"
    other = pruned(seeded(plain_net), L1("Filters", 0.5, "0.weight"))
    other.add_policy(ThinningPolicy(), epochs=[0])
    with pytest.raises(CompressionError, match="expected example_inputs to remove channels, found none and no run"):
        other.on_minibatch_begin(0)


def test_thinning_in_a_training_keeps_the_function_and_trains_on() -> None:
    model = seeded(Residual)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    scheduler.add_policy(PruningPolicy(StructurePruner(0.5)), epochs=[1])
    train(scheduler, range(2))
    expected = model.eval()(EXAMPLE)
    scheduler.add_policy(ThinningPolicy(), epochs=[2])
    model.train()
    scheduler.on_epoch_begin(2)
    scheduler.on_minibatch_begin(2)
    assert model.conv2.weight.shape == (6, 4, 3, 3)
    assert torch.allclose(model.eval()(EXAMPLE), expected, atol=1e-6)
    scheduler.on_minibatch_end(2)
    scheduler.on_epoch_end(2)
    model.train()
    before = model.conv2.weight.detach().clone()
    train(scheduler, range(3, 4))
    assert not torch.equal(before, model.conv2.weight.detach())
    assert scheduler.optimizer is not None
    states = scheduler.optimizer.state
    assert all(state["momentum_buffer"].shape == each.shape for each, state in states.items())


@pytest.mark.parametrize("wrapped", ["forward", "loop"])
def test_thinning_within_autocast(wrapped: str) -> None:
    """Autocast keeps copies of the parameters until its outermost context ends."""
    model = seeded(Residual)
    scheduler = pruned(model, L1("Filters", 0.5, "conv2.weight", coupled="all"), example_inputs=EXAMPLE)
    scheduler.add_policy(ThinningPolicy(), epochs=[1])
    with torch.autocast("cpu", torch.bfloat16, enabled=wrapped == "loop"):
        for epoch in (0, 1):
            if epoch:
                scheduler.on_epoch_begin(epoch)
            scheduler.on_minibatch_begin(epoch)
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(EXAMPLE).float().square().mean()
            loss.backward()
            scheduler.on_minibatch_end(epoch)
            scheduler.on_epoch_end(epoch)
    assert scheduler.records
    assert model.conv2.weight.shape[0] == 6


def test_thin_weights_stay_in_channels_last() -> None:
    images = EXAMPLE.to(memory_format=torch.channels_last)
    model = seeded(Residual).to(memory_format=torch.channels_last)
    scheduler = pruned(model, L1("Filters", 0.5, "conv1.weight", coupled="all"), example_inputs=images)
    scheduler.add_policy(ThinningPolicy(), epochs=[0])
    scheduler.on_minibatch_begin(0)
    assert scheduler.records
    weight = model.conv2.weight
    assert weight.shape[1] == 4
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()


def test_masks_that_leave_batchnorm_are_not_thinned_and_nothing_changes() -> None:
    model = seeded(plain_net)
    with torch.no_grad():
        model[1].bias.fill_(0.5)
    scheduler = pruned(model, L1("Filters", 0.5, "0.weight", weights_only=True), example_inputs=EXAMPLE)
    scheduler.add_policy(ThinningPolicy(), epochs=[0])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ThinningError):
        scheduler.on_minibatch_begin(0)
    assert_equal(before, dict(model.state_dict()))
    assert not scheduler.training.records


def test_a_share_of_multiply_accumulates_goes() -> None:
    from qprep.compression.structure import macs

    model = seeded(Residual)
    dense = macs(model, EXAMPLE)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    scheduler.add_policy(PruningPolicy(StructurePruner(remove="50%")), epochs=[0])
    scheduler.add_policy(ThinningPolicy(), epochs=[0])
    train(scheduler, range(1))
    assert 0.25 <= macs(model, EXAMPLE) / dense <= 0.5


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: layout_of("Filter", None, ranked=True),
            "expected a group_type, found 'Filter'; did you mean 'Filters'?",
        ),
        (lambda: layout_of("Blocks", None, ranked=True), "expected block_shape as [filters, channels, height, width]"),
        (lambda: L1("Filters", 1.5, "a"), "expected desired_sparsity from 0 to 1, found 1.5"),
        (lambda: L1("Filters", 0.5, "a", "Follower"), "expected group_dependency Leader or none, found 'Follower'"),
        (lambda: L1("Filters", 0.5, "a", kwargs={"block": 1}), "expected block_shape alone in kwargs, found block"),
        (lambda: pruned(seeded(Residual), L1("Filters", 0.5, "fc.weight")), "found fc.weight of shape (4, 8)"),
        (
            lambda: pruned(seeded(Residual), L1("Rows", 0.5, "conv2.weight")),
            "found conv2.weight of shape (12, 8, 3, 3)",
        ),
        (
            lambda: pruned(seeded(Residual), L1("Blocks", 0.5, "conv1.weight", kwargs={"block_shape": [1, 8, 1, 1]})),
            "expected a block_shape that divides the shape of conv1.weight, (8, 1, 3, 3), found [1, 8, 1, 1]",
        ),
        (lambda: L1("Filters", 0.5, "a", group_size=-2), "expected group_size as a whole number from 1 on, found -2"),
        (lambda: StructurePruner(0.5, round_to=0), "expected round_to from 1 on, found 0"),
        (lambda: StructurePruner(0.5, keep_at_least=-1), "expected keep_at_least from 1 on, found -1"),
        (StructurePruner, "expected either sparsity or remove, found both or none"),
        (lambda: StructurePruner(remove="half"), "such as 50%, found 'half'"),
        (
            lambda: pruned(seeded(Residual), StructurePruner(0.5)),
            "expected example_inputs for StructurePruner, found none",
        ),
    ],
)
def test_structures_that_cannot_be_meant(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(CompressionError) as caught:
        make()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("rounding", "number"), [("floor", 4), ("ceil", 4), ("round", 4)])
def test_a_whole_number_of_structures_stays_whole(rounding: str, number: int) -> None:
    """0.5 of 8 is 4 in groups of 2, whichever way it is rounded."""
    pruner = L1("Filters", 0.5, ["conv1.weight"], group_size=2, rounding_fn=rounding)
    assert pruner.number(8, 0.5) == number


@pytest.mark.parametrize("kind", [ranked.RandomAGP, ranked.GradientAGP])
def test_a_filter_that_is_gone_does_not_come_back_dead(kind: Callable[..., Pruner]) -> None:
    """Weight, γ and β of a filter that came back would all be 0: no gradient reaches them."""
    model = seeded(Residual)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    scheduler.add_policy(PruningPolicy(kind(0.1, 0.5, "Filters", ["conv2.weight"])), None, 1, 5)
    train(scheduler, range(6))
    mask = scheduler.masks["conv2.weight"]
    assert mask is not None
    assert int((~mask).flatten(1).all(1).sum()) == 6
    assert torch.equal((model.conv2.weight == 0).flatten(1).all(1), (~mask).flatten(1).all(1))


def test_a_random_ranking_in_forward_only_draws_again() -> None:
    model = seeded(Residual)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    pruner = ranked.RandomRankedFilterPruner("Filters", 0.5, ["conv2.weight"])
    scheduler.add_policy(PruningPolicy(pruner, mask_on_forward_only=True, use_double_copies=True), None, 0, 8)
    seen = set()

    def see() -> None:
        mask = scheduler.masks["conv2.weight"]
        assert mask is not None
        seen.add(tuple(mask.flatten(1).any(1).tolist()))

    train(scheduler, range(8), each=see)
    assert len(seen) > 3


class Separable(nn.Module):
    """A pointwise convolution before and behind a depthwise one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bn1 = nn.Conv2d(1, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.deep, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8)
        self.last, self.fc = nn.Conv2d(8, 6, 1), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, 4)."""
        x = self.bn2(self.deep(self.bn1(self.first(x)).relu())).relu()
        return self.fc(self.last(x).relu().mean((2, 3)))  # type: ignore[no-any-return]


def test_a_filter_in_front_of_a_depthwise_layer_goes_with_it() -> None:
    model = seeded(Separable)
    scheduler = pruned(model, L1("Filters", 0.5, ["first.weight"]), example_inputs=EXAMPLE)
    gone = (model.first.weight == 0).flatten(1).all(1)
    assert int(gone.sum()) == 4
    assert all(
        not bool(each[gone].any()) for each in (model.deep.weight, model.deep.bias, model.bn1.bias, model.bn2.bias)
    )
    scheduler.on_epoch_end(0)
    model.eval()
    before = model(EXAMPLE)
    scheduler.add_policy(ThinningPolicy(), epochs=[1])
    scheduler.on_epoch_begin(1)
    scheduler.on_minibatch_begin(1)
    assert (model.first.weight.shape[0], model.deep.groups, model.last.weight.shape[1]) == (4, 4, 4)
    assert torch.allclose(model(EXAMPLE), before, atol=1e-6)


def test_a_depthwise_layer_alone_is_masked_alone() -> None:
    model = seeded(Separable)
    scheduler = pruned(model, L1("Filters", 0.5, ["deep.weight"]), example_inputs=EXAMPLE)
    assert any("deep.weight: first.weight compute the same channels" in each for each in scheduler.notes)
    assert bool(model.first.weight.flatten(1).any(1).all())


def test_rankings_at_the_first_epoch_without_what_they_rank_by() -> None:
    model = seeded(Residual)
    with pytest.raises(CompressionError, match="expected gradients before the first masks of GradientRankedFilterPr"):
        pruned(model, ranked.GradientRankedFilterPruner("Filters", 0.5, ["conv2.weight"]))
    with pytest.raises(CompressionError, match="expected example_inputs for fold_batchnorm from epoch 0 on"):
        Scheduler(model, sgd(model)).add_policy(
            PruningPolicy(L1("Filters", 0.5, ["conv2.weight"]), fold_batchnorm=True), epochs=[0]
        )
    with pytest.raises(CompressionError, match="expected group_type Filters for a ranking by activations"):
        Scheduler(model, sgd(model)).add_policy(
            PruningPolicy(ranked.ActivationAPoZRankedFilterPruner("Channels", 0.5, ["conv2.weight"])), epochs=[1]
        )


def test_every_ranking_has_a_gradual_form_of_its_own_scores() -> None:
    drawn = (Gradual, ranked.RandomLevelStructureParameterPruner, FMReconstructionChannelPruner)
    rankings = [
        (name, each)
        for name, each in registered().items()
        if issubclass(each, StructureRanking) and not issubclass(each, drawn)
    ]
    assert len(rankings) > 5
    for name, each in rankings:
        gradual = registered().get(f"{name}_AGP")
        assert gradual is not None, name
        assert issubclass(gradual, each)
        assert issubclass(gradual, Gradual)


class Upsampling(nn.Module):
    """A transposed convolution with BatchNorm between two others."""

    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.stem, self.up = nn.Conv2d(1, 8, 3, padding=1), nn.ConvTranspose2d(8, 6, 2, stride=2, groups=groups)
        self.norm, self.end = nn.BatchNorm2d(6), nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, 4)."""
        y = self.norm(self.up(self.stem(x).relu())).relu()
        return self.end(y).mean((2, 3))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("group", "dim"), [("Filters", 1), ("Channels", 0)])
@pytest.mark.parametrize("with_example", [False, True])
def test_filters_of_a_transposed_convolution_are_what_it_computes(group: str, dim: int, with_example: bool) -> None:
    model = seeded(Upsampling)
    weight = model.up.weight.detach().clone()
    settings = {"example_inputs": (EXAMPLE,)} if with_example else {}
    scheduler = pruned(model, L1(group, 0.5, ["up.weight"]), **settings)
    size = weight.abs().movedim(dim, 0).flatten(1).sum(1)
    expected = size.argsort()[len(size) // 2 :].sort().values
    mask = scheduler.masks["up.weight"]
    assert mask is not None
    assert torch.equal(mask.movedim(dim, 0).flatten(1).all(1).nonzero().flatten(), expected)
    assert int(mask.sum()) == mask.numel() // 2


@pytest.mark.parametrize("groups", [1, 2])
def test_filters_of_a_transposed_convolution_are_removed(groups: int) -> None:
    model = seeded(lambda: Upsampling(groups))
    scheduler = Scheduler(model, sgd(model), example_inputs=(EXAMPLE,))
    scheduler.add_policy(PruningPolicy(L1("Filters", 0.5, ["up.weight"])), epochs=[0])
    scheduler.add_policy(ThinningPolicy(), epochs=[1])
    train(scheduler, range(1))
    model.eval()
    before = model(EXAMPLE)
    scheduler.on_epoch_begin(1)
    scheduler.on_minibatch_begin(1)
    assert model.norm.weight.shape == ((3,) if groups == 1 else (4,))
    assert torch.allclose(before, model(EXAMPLE), atol=1e-6)


@pytest.mark.parametrize("kind", [GroupLassoRegularizer, StructureParameterPruner])
def test_groups_of_a_transposed_convolution_are_its_filters(kind: type) -> None:
    model = seeded(Upsampling)
    with torch.no_grad():
        model.up.weight[:, :2] = 0
    if kind is GroupLassoRegularizer:
        regularizer = GroupLassoRegularizer({"up.weight": [0.5, "Filters"]})
        scheduler = Scheduler(model, sgd(model))
        scheduler.add_policy(RegularizationPolicy(regularizer), epochs=[0])
        norms = model.up.weight.detach().transpose(0, 1).flatten(1).norm(dim=1)
        assert torch.isclose(regularizer.penalty(model.up.weight), 0.5 * norms.sum())
        return
    scheduler = pruned(model, StructureParameterPruner({"up.weight": [1e-9, "Filters"]}, "Max"))
    mask = scheduler.masks["up.weight"]
    assert mask is not None
    assert mask.transpose(0, 1).flatten(1).any(1).tolist() == [False] * 2 + [True] * 4


def test_patterns_of_a_transposed_convolution_are_along_its_inputs() -> None:
    model = seeded(Upsampling)
    scheduler = pruned(model, NMPruner("2:4", ["up.weight"]))
    mask = scheduler.masks["up.weight"]
    assert mask is not None
    assert mask.shape == model.up.weight.shape
    assert bool((mask.reshape(2, 4, -1).sum(1) == 2).all())


def test_a_batchnorm_is_folded_into_filters_of_a_transposed_convolution() -> None:
    model = seeded(Upsampling)
    with torch.no_grad():
        model.norm.weight.copy_(torch.tensor([1e-3, 1.0, 1e-3, 1.0, 1e-3, 1.0]))
    scheduler = Scheduler(model, sgd(model), example_inputs=(EXAMPLE,))
    policy = PruningPolicy(L1("Filters", 0.5, ["up.weight"]), fold_batchnorm=True)
    scheduler.add_policy(policy, epochs=[0])
    scheduler.on_epoch_begin(0)
    mask = scheduler.masks["up.weight"]
    assert mask is not None
    assert mask.transpose(0, 1).flatten(1).all(1).tolist() == [False, True] * 3


class Keyword(nn.Module):
    """Takes its images by keyword, and a factor by position or by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.net = plain_net()

    def forward(self, factor: Tensor, *, images: Tensor) -> dict[str, Tensor]:
        """(B, 1, H, W) to (B, 4)."""
        return {"logits": self.net(images) * factor}


@pytest.mark.parametrize("given", ["keywords", "first run"])
def test_channels_of_models_that_take_keywords_are_masked_and_removed(given: str) -> None:
    model = seeded(Keyword)
    factor = torch.tensor(2.0)
    example = {"factor": factor, "images": EXAMPLE}
    settings = {"example_inputs": example} if given == "keywords" else {}
    scheduler = Scheduler(model, sgd(model), **settings)  # type: ignore[arg-type]
    scheduler.add_policy(PruningPolicy(L1("Filters", 0.5, ["net.0.weight"])), epochs=[1])
    scheduler.add_policy(ThinningPolicy(), epochs=[2])
    for epoch in range(3):
        scheduler.on_epoch_begin(epoch)
        scheduler.on_minibatch_begin(epoch)
        scheduler.backward(model(factor, images=EXAMPLE)["logits"].square().mean())
        scheduler.on_minibatch_end(epoch)
        scheduler.on_epoch_end(epoch)
    assert model.net[0].weight.shape[0] == model.net[1].weight.shape[0] == 4
    assert scheduler.report().frozen


def test_sensitivity_takes_filters_of_a_transposed_convolution() -> None:
    model = seeded(Upsampling)
    seen: list[Tensor] = []

    def evaluate(given: nn.Module) -> float:
        seen.append(given.get_parameter("up.weight").detach().transpose(0, 1).flatten(1).any(1))
        return 1.0

    sensitivity(model, evaluate, unit="filter", levels=[0.5], weights=["up.weight"])
    assert int(seen[-1].sum()) == 3
