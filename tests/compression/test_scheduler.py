"""The scheduler in a loop: callbacks, masks that hold, losses, what a loop gets wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from qprep.compression import (
    AutomatedGradualPruner,
    CompressionError,
    CompressionScheduler,
    GroupLassoRegularizer,
    L1Regularizer,
    Policy,
    PruningPolicy,
    RegularizationPolicy,
    ScheduleError,
    Scheduler,
    SparsityLevelParameterPruner,
    StructurePruner,
    ThinningPolicy,
)
from qprep.compression.pruners.ranked import GradientRankedFilterPruner
from qprep.compression.training import Training
from qprep.compression.windows import TrainingClock, Window, window
from tests.compression.nets import batches, plain_net, scheduled, seeded, sgd, train


def half(weights: str = "3.weight", **args: bool) -> PruningPolicy:
    return PruningPolicy(SparsityLevelParameterPruner({weights: 0.5}), **args)  # type: ignore[arg-type]


def loss_of(model: nn.Module) -> Tensor:
    images, labels = batches(1)[0]
    return nn.functional.cross_entropy(model(images), labels)


def test_the_pseudo_code_of_the_design_document_runs_word_for_word() -> None:
    """Callbacks with the epoch alone, `before_backward_pass` without a loss."""
    model = seeded(plain_net)
    optimizer, criterion = sgd(model), nn.CrossEntropyLoss()
    compression_scheduler = CompressionScheduler(model, optimizer)
    compression_scheduler.add_policy(half(), starting_epoch=0, ending_epoch=2, frequency=1)
    for epoch in range(2):
        compression_scheduler.on_epoch_begin(epoch)
        for input_var, target_var in batches():
            compression_scheduler.on_minibatch_begin(epoch)
            output = model(input_var)
            loss = criterion(output, target_var)
            compression_scheduler.before_backward_pass(epoch)
            loss.backward()
            optimizer.step()
            compression_scheduler.on_minibatch_end(epoch)
        compression_scheduler.on_epoch_end(epoch)
    assert compression_scheduler.sparsities()["3.weight"] == 0.5


def test_the_short_form_is_the_long_form() -> None:
    found = []
    for short in (False, True):
        model = seeded(plain_net)
        optimizer = sgd(model)
        scheduler = Scheduler(model, optimizer)
        scheduler.add_policy(half(), starting_epoch=0, ending_epoch=2)
        scheduler.add_policy(RegularizationPolicy(L1Regularizer({"0.weight": 0.1})), starting_epoch=0, ending_epoch=3)
        if short:
            for _ in scheduler.epochs(3):
                for images, labels in scheduler.steps(batches()):
                    loss = nn.functional.cross_entropy(model(images), labels)
                    optimizer.zero_grad()
                    scheduler.backward(loss)
                    optimizer.step()
        else:
            train(scheduler, range(3))
        found.append([each.detach().clone() for each in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_masks_hold_by_the_optimizers_hook_without_any_callback() -> None:
    model = seeded(plain_net)
    optimizer = sgd(model)
    scheduler = Scheduler(model, optimizer)
    scheduler.add_policy(half(), epochs=[0])
    scheduler.on_epoch_begin(0)
    mask = scheduler.masks["3.weight"]
    assert mask is not None
    for _ in range(3):
        loss_of(model).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        weight: Tensor = model[3].weight
        assert not weight[~mask].any()
        assert weight[mask].all()


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "RMSprop", "LBFGS"])
def test_masks_hold_with_any_optimizer(kind: str) -> None:
    model = seeded(plain_net)
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=0.01)
    scheduler = Scheduler(model, optimizer)
    scheduler.add_policy(half(), epochs=[0])
    scheduler.on_epoch_begin(0)

    def closure() -> float:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    for _ in range(2):
        optimizer.step(closure)
    assert scheduler.sparsities()["3.weight"] == 0.5


def test_masks_hold_with_accumulated_gradients_and_a_scaler() -> None:
    model = seeded(plain_net)
    optimizer = sgd(model)
    scheduler = Scheduler(model, optimizer)
    scheduler.add_policy(half(), epochs=[0])
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scheduler.on_epoch_begin(0)
    for number in range(4):
        scheduler.on_minibatch_begin(0)
        scaler.scale(scheduler.before_backward_pass(0, loss=loss_of(model)) / 2).backward()
        if number % 2:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        scheduler.on_minibatch_end(0)
        assert scheduler.sparsities()["3.weight"] == 0.5


def test_masks_hold_in_every_later_epoch_and_the_model_stays_plain() -> None:
    model = seeded(plain_net)
    keys = list(model.state_dict())
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(half(), epochs=[1])
    found = []
    for epoch in range(4):
        train(scheduler, range(epoch, epoch + 1))
        found.append(scheduler.sparsities()["3.weight"])
    assert found == [0.0, 0.5, 0.5, 0.5]
    assert list(model.state_dict()) == keys
    copy.deepcopy(model)
    finished = scheduler.finish()
    assert finished is model
    sgd(model).step()
    assert not scheduler.entries


def test_an_average_of_weights_gets_the_masks() -> None:
    model = seeded(plain_net)
    average = torch.optim.swa_utils.AveragedModel(model)
    average.update_parameters(model)
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(half(), epochs=[0])
    train(scheduler, range(1), each=lambda: average.update_parameters(model))
    assert bool(average.module[3].weight.all())  # type: ignore[index]
    scheduler.masks.apply_to(average)
    assert int((average.module[3].weight == 0).sum()) == 288  # type: ignore[index]


def test_what_is_masked_in_forward_only_comes_back_before_the_step() -> None:
    model = seeded(plain_net)
    optimizer = sgd(model)
    scheduler = Scheduler(model, optimizer)
    args = {"mask_on_forward_only": True, "use_double_copies": True, "mask_gradients": True}
    scheduler.add_policy(half(**args), epochs=[0])  # type: ignore[arg-type]
    weight: Tensor = model[3].weight
    before = weight.detach().clone()
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    mask = scheduler.masks["3.weight"]
    assert mask is not None
    assert torch.equal(weight.detach(), before * mask)
    loss_of(model).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert torch.equal(weight.detach()[~mask], before[~mask])
    assert not torch.equal(weight.detach()[mask], before[mask])
    scheduler.on_minibatch_end(0)
    assert bool(weight.all())


def test_a_checkpoint_within_a_minibatch_has_the_values_of_the_copies(tmp_path: Path) -> None:
    model = seeded(plain_net)
    before = model[3].weight.detach().clone()
    scheduler = Scheduler(model, sgd(model))
    policy = half(mask_on_forward_only=True, use_double_copies=True)
    scheduler.add_policy(policy, epochs=[0])
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    masked = model[3].weight.detach().clone()
    scheduler.save(tmp_path / "last.pt")
    assert torch.equal(torch.load(tmp_path / "last.pt", weights_only=True)["model"]["3.weight"], before)
    assert torch.equal(model[3].weight, masked)
    assert not torch.equal(masked, before)


def test_lazy_modules_need_a_run_before() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.LazyLinear(4))
    with pytest.raises(CompressionError, match="found 2.weight of a lazy module: run the model on a batch before"):
        Scheduler(model)
    model(torch.zeros(1, 1, 6, 6))
    Scheduler(model)


def test_kept_masks_hold_after_the_last_epoch() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    policy = half(mask_on_forward_only=True, keep_mask=True)
    scheduler.add_policy(policy, starting_epoch=0, ending_epoch=2)
    found: list[float] = []
    train(scheduler, range(3), each=lambda: found.append(scheduler.sparsities()["3.weight"]))
    assert found == [0.0] * 6 + [0.5] * 3


def test_masks_of_one_minibatch_are_forgotten() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    pruner = SparsityLevelParameterPruner({"3.weight": 0.5})
    args = {"mask_on_forward_only": True, "use_double_copies": True, "discard_masks_at_minibatch_end": True}
    scheduler.add_policy(PruningPolicy(pruner, mini_batch_pruning_frequency=2, **args), epochs=[0])  # type: ignore[arg-type]
    found = []
    scheduler.on_epoch_begin(0)
    for _ in range(4):
        scheduler.on_minibatch_begin(0)
        found.append(scheduler.sparsities()["3.weight"])
        scheduler.on_minibatch_end(0)
    assert found == [0.5, 0.0, 0.5, 0.0]


def test_shares_of_two_policies_are_joined() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    first = PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.6}))
    second = PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.2}))
    scheduler.add_policy(first, epochs=[0])
    scheduler.add_policy(second, epochs=[1])
    train(scheduler, range(2))
    assert scheduler.sparsities()["3.weight"] == pytest.approx(0.6, abs=1 / 576)
    assert [each.policy.name for each in scheduler.entries] == [first.name, f"{first.name} 2"]


def test_loss_components_are_named_and_add_up() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    lasso = GroupLassoRegularizer({"3.weight": [0.01, "Filters"]})
    scheduler.add_policy(RegularizationPolicy(L1Regularizer({"0.weight": 0.1}), name="l1"), epochs=[0])
    scheduler.add_policy(RegularizationPolicy(lasso, name="lasso"), epochs=[0])
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    loss = loss_of(model)
    found = scheduler.before_backward_pass(0, 0, 3, loss, return_loss_components=True)
    l1 = 0.1 * model[0].weight.abs().sum()
    groups = 0.01 * model[3].weight.flatten(1).norm(dim=1).sum()
    assert [part.name for part in found.loss_components] == ["l1", "lasso"]
    assert float(found.loss_components[0].value.detach()) == pytest.approx(float(l1.detach()), abs=1e-6)
    assert float(found.loss_components[1].value.detach()) == pytest.approx(float(groups.detach()), abs=1e-6)
    assert float(found.overall_loss.detach()) == pytest.approx(float((loss + l1 + groups).detach()), abs=1e-6)


def test_policies_run_in_the_order_of_their_declaration() -> None:
    told: list[str] = []

    class Says(Policy):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_epoch_begin(self, training: Training, window: Window) -> None:
            told.append(self.name)

    scheduler = Scheduler(seeded(plain_net))
    for name in ("b", "a", "c"):
        scheduler.add_policy(Says(name), epochs=[0])
    scheduler.on_epoch_begin(0)
    assert told == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("calls", "sentence"),
    [
        (
            lambda s: s.on_minibatch_begin(0),
            "expected on_epoch_begin(0) before on_minibatch_begin, found no epoch begun",
        ),
        (lambda s: (s.on_epoch_begin(0), s.on_minibatch_begin(1)), "expected epoch 0 in on_minibatch_begin, found 1"),
        (lambda s: (epoch(s, 0), epoch(s, 2)), "expected epoch 1 after epoch 0, found 2"),  # type: ignore[func-returns-value]
        (lambda s: (epoch(s, 0), epoch(s, 0)), "expected epoch 1 after epoch 0, found 0 again"),  # type: ignore[func-returns-value]
        (lambda s: (s.on_epoch_begin(0), s.on_epoch_begin(1)), "expected on_epoch_end(0) before on_epoch_begin(1)"),
        (lambda s: s.on_epoch_begin(-1), "expected the number of an epoch, from 0 on, found -1"),
        (
            lambda s: s.on_epoch_begin(0, sgd(nn.Linear(1, 1))),
            "expected the optimizer that the scheduler was given (SGD)",
        ),
        (lambda s: begun(s).before_backward_pass(0), "expected the loss, which L1Regularizer adds to, found none"),
        (
            lambda s: begun(s).before_backward_pass(0, loss=torch.ones(2)),
            "expected a scalar tensor as loss, found (2,)",
        ),
        (
            lambda s: begun(s).before_backward_pass(0, loss=torch.tensor(float("nan"))),
            "expected a finite loss, found nan",
        ),
    ],
)
def test_what_a_loop_gets_wrong_is_said(calls: Callable[[Scheduler], object], sentence: str) -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(RegularizationPolicy(L1Regularizer({"0.weight": 0.1})), starting_epoch=0, ending_epoch=9)
    with pytest.raises(CompressionError) as caught:
        calls(scheduler)
    assert sentence in str(caught.value)


def epoch(scheduler: Scheduler, number: int) -> None:
    scheduler.on_epoch_begin(number)
    scheduler.on_epoch_end(number)


def begun(scheduler: Scheduler) -> Scheduler:
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    return scheduler


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (3, "expected an nn.Module, found int"),
        (type("FullyShardedDataParallel", (nn.Linear,), {})(1, 1), "found one sharded by FSDP"),
    ],
)
def test_what_is_no_model_is_refused(model: nn.Module, sentence: str) -> None:
    with pytest.raises(CompressionError, match=sentence):
        Scheduler(model)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "found none of them"),
        ({"epochs": [0], "starting_epoch": 0, "ending_epoch": 2}, "found several of them"),
        ({"starting_epoch": 0}, "found no ending_epoch"),
        ({"starting_epoch": 3, "ending_epoch": 3}, "expected ending_epoch after starting_epoch (3), found 3"),
        ({"starting_epoch": 0, "ending_epoch": 2, "frequency": 3}, "expected a frequency above 0, up to 2, found 3"),
        ({"starting_epoch": 0, "ending_epoch": 2, "frequency": 0}, "expected a frequency above 0, up to 2, found 0"),
        ({"starting_epoch": -1, "ending_epoch": 2}, "expected starting_epoch from 0 on, found -1"),
        ({"epochs": [0, -1]}, "expected a list of epochs, whole numbers from 0 on, found [0, -1]"),
        ({"epochs": [0.5]}, "found [0.5]"),
        ({"epochs": [float("inf")]}, "found [inf]"),
        ({"starting_epoch": 0, "ending_epoch": float("inf")}, "expected numbers of epochs, found inf"),
        ({"starting_epoch": float("nan"), "ending_epoch": 2}, "expected numbers of epochs, found nan"),
        ({"steps": [4, 4]}, "expected steps as [first, end] with 0 <= first < end, found [4, 4]"),
        ({"steps": [0, 4], "frequency": 0.5}, "expected a whole number of steps as frequency, found 0.5"),
    ],
)
def test_windows_that_cannot_be_meant(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(CompressionError) as caught:
        window(**given)  # type: ignore[arg-type]
    assert sentence in str(caught.value)


def test_fractions_of_epochs_are_steps_once_their_number_is_known() -> None:
    when = window(starting_epoch=0.5, ending_epoch=2.0, frequency=0.5)
    acting = [step for step in range(12) if when.acts(TrainingClock(step // 4, step % 4, 4, step))]
    assert acting == [2, 4, 6]
    assert when.progress(TrainingClock(1, 2, 4, 6)) == 1.0
    with pytest.raises(CompressionError, match="expected minibatches_per_epoch in on_minibatch_begin"):
        when.acts(TrainingClock())


def test_a_part_of_a_later_epoch_takes_the_length_of_the_first() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    policy = PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.5}))
    scheduler.add_policy(policy, starting_epoch=1.5, ending_epoch=2.0, frequency=0.5)
    masked = []
    for epoch in range(2):
        scheduler.on_epoch_begin(epoch)
        for _ in range(4):
            scheduler.on_minibatch_begin(epoch)
            masked.append(scheduler.masks["3.weight"] is not None)
            scheduler.on_minibatch_end(epoch)
        scheduler.on_epoch_end(epoch)
    assert masked == [False] * 6 + [True] * 2


def test_a_part_of_an_epoch_of_unknown_length_has_the_line_of_its_policy(tmp_path: Path) -> None:
    text = """\
pruners:
  half: {class: SparsityLevelParameterPruner, levels: {3.weight: 0.5}}
policies:
  - {pruner: {instance_name: half}, starting_epoch: 0.5, ending_epoch: 1.0, frequency: 0.5}
"""
    scheduler = scheduled(tmp_path, text, seeded(plain_net))
    scheduler.on_epoch_begin(0)
    with pytest.raises(ScheduleError, match=r"yaml:2: pruners.half: expected minibatches_per_epoch"):
        scheduler.on_minibatch_begin(0)


def test_policies_by_steps_act_within_epochs() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    pruner = AutomatedGradualPruner(0.0, 0.5, "3.weight", rate="linear")
    scheduler.add_policy(PruningPolicy(pruner), steps=[1, 6], frequency=2)
    found: list[float] = []
    train(scheduler, range(2), each=lambda: found.append(scheduler.sparsities()["3.weight"]))
    assert found == [0.0, 0.0, 0.0, 0.25, 0.25, 0.5]


def test_frozen_tied_and_foreign_parameters_are_masked_with_a_note() -> None:
    model = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4), "c": nn.Linear(4, 4)})
    model["b"].weight = model["a"].weight
    model["c"].weight.requires_grad_(False)
    optimizer = torch.optim.SGD([model["a"].bias], lr=0.1)  # type: ignore[arg-type]
    scheduler = Scheduler(model, optimizer)
    scheduler.add_policy(PruningPolicy(SparsityLevelParameterPruner({"*": 0.5})), epochs=[0])
    scheduler.on_epoch_begin(0)
    assert scheduler.notes == [
        "a.weight: masked once, it is tied to b.weight",
        "a.weight: masked, although the optimizer does not contain it",
        "c.weight: masked, although it does not require gradients",
    ]
    assert scheduler.sparsity == 0.5


def test_weights_on_the_meta_device_are_refused() -> None:
    with torch.device("meta"):
        model = plain_net()
    with pytest.raises(CompressionError, match=r"expected weights with data, found 3.weight on the meta device"):
        Scheduler(model).add_policy(half(), epochs=[0])


def test_lottery_tickets_go_back_to_the_epoch_that_they_are_to() -> None:
    model = seeded(plain_net)
    start = [each.detach().clone() for each in model.parameters()]
    scheduler = Scheduler(model, sgd(model))
    policy = PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.5}), rewind=0)
    scheduler.add_policy(policy, epochs=[2])
    train(scheduler, range(3))
    mask = scheduler.masks["3.weight"]
    assert mask is not None
    for each, before in zip(model.parameters(), start, strict=True):
        assert torch.equal(each, before * mask if each.shape == mask.shape else before)


def test_compiling_is_not_disturbed_by_masks() -> None:
    """No recompilation: masks change values in place, not the model."""
    from torch._dynamo.testing import CompileCounter

    counted = CompileCounter()
    model = seeded(plain_net)
    compiled = torch.compile(model, backend=counted)
    optimizer = sgd(model)
    scheduler = Scheduler(compiled, optimizer)  # type: ignore[arg-type]
    pruner = AutomatedGradualPruner(0.1, 0.5, "3.weight")
    scheduler.add_policy(PruningPolicy(pruner), starting_epoch=0, ending_epoch=3)
    frames = []
    for number in range(4):
        train(scheduler, range(number, number + 1))
        frames.append(counted.frame_count)
    assert frames[0] > 0
    assert frames == [frames[0]] * 4
    assert scheduler.sparsities()["3.weight"] == 0.5


def test_thinning_compiles_once_more() -> None:
    from torch._dynamo.testing import CompileCounter

    counted = CompileCounter()
    model = seeded(plain_net)
    compiled = torch.compile(model, backend=counted, dynamic=False)
    scheduler = Scheduler(compiled, sgd(model), example_inputs=batches(1)[0][0])  # type: ignore[arg-type]
    scheduler.add_policy(PruningPolicy(StructurePruner(0.5)), epochs=[1])
    scheduler.add_policy(ThinningPolicy(), epochs=[2])
    frames = []
    for number in range(5):
        train(scheduler, range(number, number + 1))
        frames.append(counted.frame_count)
    assert frames[1] == frames[0]
    assert frames[2] == frames[1] + frames[0]
    assert frames[4] == frames[2]
    assert model[0].weight.shape[0] == 4


def test_what_is_loaded_between_epochs_is_masked() -> None:
    model = seeded(plain_net)
    dense = {name: each.clone() for name, each in model.state_dict().items()}
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(half(), epochs=[0])
    train(scheduler, range(1))
    model.load_state_dict(dense)
    scheduler.on_epoch_begin(1)
    assert scheduler.sparsities()["3.weight"] == 0.5


@pytest.mark.parametrize("trained", [False, True])
def test_a_parameter_that_was_replaced_is_an_error(trained: bool) -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(half(), epochs=[0])
    train(scheduler, range(int(trained)))
    model.load_state_dict({name: each.clone() for name, each in model.state_dict().items()}, assign=True)
    with pytest.raises(CompressionError, match=r"expected the parameter 3.weight that the scheduler was given"):
        scheduler.on_epoch_begin(int(trained))


def test_a_layer_that_no_policy_is_about_may_be_replaced() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(half(), epochs=[0])
    train(scheduler, range(1))
    model[8] = nn.Linear(8, 6)
    scheduler.on_epoch_begin(1)
    with torch.no_grad():
        model[8].weight.zero_()
    assert scheduler.sparsities()["8.weight"] == 1.0


@pytest.mark.parametrize("forward_only", [False, True])
def test_sparse_gradients_are_collected_and_masked(forward_only: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.EmbeddingBag(10, 4, sparse=True, mode="sum"), nn.Linear(4, 3))
    weight: Tensor = model[0].weight  # type: ignore[assignment]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = Scheduler(model, optimizer)
    pruner = GradientRankedFilterPruner("inputs", 0.5, ["0.weight"])
    policy = PruningPolicy(pruner, mask_on_forward_only=forward_only, mask_gradients=forward_only)
    scheduler.add_policy(policy, epochs=[1])
    for epoch in range(2):
        scheduler.on_epoch_begin(epoch)
        for _ in range(3):
            scheduler.on_minibatch_begin(epoch)
            optimizer.zero_grad()
            torch.autograd.backward(model(torch.tensor([[0, 1], [1, 2]])).square().sum())
            optimizer.step()
            scheduler.on_minibatch_end(epoch)
        scheduler.on_epoch_end(epoch)
    mask = scheduler.masks["0.weight"]
    assert mask is not None
    assert int(mask.all(0).sum()) == 2
    assert bool((weight[~mask] == 0).all())
