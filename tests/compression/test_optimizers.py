"""Trainings with several optimizers: masks, thinning, learning rates, proximal steps, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

from qprep.compression import CompressionError, Scheduler, thin
from tests.compression.nets import EXAMPLE, assert_equal, batches, plain_net, scheduled, seeded

SCHEDULE = """\
pruners:
  filters: {class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [0.weight]}
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.6, weights: [8.weight]}
regularizers:
  lasso: {class: GroupLassoRegularizer, reg_regims: {3.weight: [0.05, Filters]}, proximal: true}
lr_schedulers:
  decay: {class: StepLR, step_size: 1, gamma: 0.5}
extensions:
  remover: {class: FilterRemover}
policies:
  - {pruner: {instance_name: filters}, epochs: [1]}
  - {extension: {instance_name: remover}, epochs: [1]}
  - {pruner: {instance_name: fine}, starting_epoch: 0, ending_epoch: 3}
  - {regularizer: {instance_name: lasso}, starting_epoch: 0, ending_epoch: 4}
  - {lr_scheduler: {instance_name: decay}, starting_epoch: 0, ending_epoch: 4}
"""


def two(model: nn.Module, kind: Any = AdamW) -> list[Optimizer]:
    """One for weights, one for vectors."""
    parameters = list(model.parameters())
    vectors = kind(
        [each for each in parameters if each.dim() < 2], lr=0.05, **({"momentum": 0.9} if kind is SGD else {})
    )
    return [SGD([each for each in parameters if each.dim() > 1], lr=0.05, momentum=0.9), vectors]


def train(scheduler: Scheduler, optimizers: list[Optimizer], epochs: range) -> None:
    for epoch in epochs:
        scheduler.on_epoch_begin(epoch)
        for images, labels in batches():
            scheduler.on_minibatch_begin(epoch)
            loss = nn.functional.cross_entropy(scheduler.model(images), labels)
            loss = scheduler.before_backward_pass(epoch, loss=loss)
            scheduler.model.zero_grad()
            loss.backward()
            for each in optimizers:
                each.step()
            for name, mask in scheduler.masks:
                assert not scheduler.masks.names.named(name)[~mask].any()
            scheduler.on_minibatch_end(epoch)
        scheduler.on_epoch_end(epoch)


def test_two_optimizers_train_as_one_with_two_groups(tmp_path: Path) -> None:
    found = []
    for joined in (False, True):
        model = seeded(plain_net)
        optimizers = two(model, SGD)
        if joined:
            groups = [{"params": each.param_groups[0]["params"]} for each in optimizers]
            optimizers = [SGD(groups, lr=0.05, momentum=0.9)]
        scheduler = scheduled(tmp_path, SCHEDULE, model, optimizer=optimizers, example_inputs=EXAMPLE)
        train(scheduler, optimizers, range(4))
        found.append((dict(model.state_dict()), scheduler.history.state_dict()))
    assert_equal(*found)
    assert found[0][0]["0.weight"].shape[0] == 4


def test_the_state_of_every_optimizer_is_cut(tmp_path: Path) -> None:
    model = seeded(plain_net)
    optimizers = two(model)
    scheduler = scheduled(tmp_path, SCHEDULE, model, optimizer=optimizers, example_inputs=EXAMPLE)
    train(scheduler, optimizers, range(2))
    states = [(parameter, state) for each in optimizers for parameter, state in each.state.items()]
    assert len(states) == len(list(model.parameters()))
    for parameter, state in states:
        assert all(each.shape == parameter.shape for each in state.values() if isinstance(each, Tensor) and each.dim())
    assert [each.param_groups[0]["lr"] for each in optimizers] == [0.0125, 0.0125]


def test_two_optimizers_resume_bit_equal(tmp_path: Path) -> None:
    model = seeded(plain_net)
    optimizers = two(model)
    scheduler = scheduled(tmp_path, SCHEDULE, model, optimizer=optimizers, example_inputs=EXAMPLE)
    train(scheduler, optimizers, range(2))
    scheduler.save(tmp_path / "last.pt")
    train(scheduler, optimizers, range(2, 4))
    made: list[list[Optimizer]] = []

    def make(fresh: nn.Module) -> list[Optimizer]:
        made.append(two(fresh))
        return made[0]

    again, epoch = Scheduler.resume(tmp_path / "last.pt", plain_net, make, example_inputs=EXAMPLE)
    train(again, made[0], range(epoch, 4))
    assert_equal(dict(again.model.state_dict()), dict(model.state_dict()))
    assert_equal([each.state_dict() for each in made[0]], [each.state_dict() for each in optimizers])


def test_an_optimizer_that_the_scheduler_does_not_know_is_noted_where_its_state_does_not_fit(tmp_path: Path) -> None:
    model = seeded(plain_net)
    weights, vectors = two(model)
    scheduler = scheduled(tmp_path, SCHEDULE, model, optimizer=weights, example_inputs=EXAMPLE)
    train(scheduler, [weights], range(1))
    scheduler.on_epoch_begin(1)
    scheduler.on_minibatch_begin(1)
    assert any(note.startswith("0.bias, 1.bias, 1.weight: channels were removed, but") for note in scheduler.notes)
    with pytest.raises(CompressionError, match="expected the optimizer that the scheduler was given"):
        scheduler.on_minibatch_end(1, optimizer=vectors)


def test_optimizers_that_cannot_be_joined() -> None:
    model = seeded(plain_net)
    weights, vectors = two(model)
    with pytest.raises(CompressionError, match="expected two different optimizers"):
        Scheduler(model, [weights, weights])
    with pytest.raises(CompressionError, match="expected each parameter in one optimizer, found one in SGD as well"):
        Scheduler(model, [vectors, SGD(model.parameters(), lr=0.1)])
    with pytest.raises(CompressionError, match="expected an optimizer of torch.optim, or several, found str"):
        Scheduler(model, [weights, "adam"])  # type: ignore[list-item]
    scheduler = Scheduler(model, [weights, vectors])
    scheduler.on_epoch_begin(0, optimizer=vectors)  # one of them may be named
    assert scheduler.optimizer is not None
    with pytest.raises(CompressionError, match="expected the state of 2 optimizers, found that of 1"):
        scheduler.optimizer.load_state_dict(weights.state_dict())
    with pytest.raises(CompressionError, match="expected a step without a closure"):
        scheduler.optimizer.step(lambda: 0.0)


def test_an_average_of_the_weights_is_cut_by_the_record(tmp_path: Path) -> None:
    model = seeded(plain_net)
    optimizers = two(model)
    scheduler = scheduled(tmp_path, SCHEDULE, model, optimizer=optimizers, example_inputs=EXAMPLE)
    train(scheduler, optimizers, range(1))
    average = AveragedModel(model)
    average.update_parameters(model)
    train(scheduler, optimizers, range(1, 2))
    thin(average.module, scheduler.records[-1])
    average.update_parameters(model)
    scheduler.masks.apply_to(average.module)
    assert_equal(
        {name: each.shape for name, each in average.module.state_dict().items()},
        {name: each.shape for name, each in model.state_dict().items()},
    )
    assert torch.equal(average.module.state_dict()["8.weight"] == 0, model.state_dict()["8.weight"] == 0)


def test_optimizers_may_step_within_the_backward_pass(tmp_path: Path) -> None:
    model = seeded(plain_net)
    optimizers = {each: SGD([each], lr=0.05) for each in model.parameters()}

    def step(parameter: Tensor) -> None:
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for each in model.parameters():
        each.register_post_accumulate_grad_hook(step)
    text = (
        "pruners:\n  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.5, "
        "weights: [3.weight, 8.weight]}\n"
        "policies:\n  - {pruner: {instance_name: fine}, starting_epoch: 0, ending_epoch: 3}\n"
    )
    scheduler = scheduled(tmp_path, text, model, optimizer=list(optimizers.values()))
    before = model[0].weight.detach().clone()
    for epoch in range(3):
        scheduler.on_epoch_begin(epoch)
        for images, labels in batches():
            scheduler.on_minibatch_begin(epoch)
            scheduler.backward(nn.functional.cross_entropy(model(images), labels))
            for name, mask in scheduler.masks:
                assert not scheduler.masks.names.named(name)[~mask].any()
            scheduler.on_minibatch_end(epoch)
        scheduler.on_epoch_end(epoch)
    assert scheduler.sparsities()["8.weight"] == scheduler.sparsities()["3.weight"] == 0.5
    assert not torch.equal(before, model[0].weight)
