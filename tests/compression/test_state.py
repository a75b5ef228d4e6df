"""One state: a training that is resumed goes on bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from qprep.compression import (
    AutomatedGradualPruner,
    CompressionError,
    PruningPolicy,
    Scheduler,
)
from qprep.compression.pruners import ranked
from qprep.compression.pruners.splicing import SplicingPruner
from tests.compression.nets import EXAMPLE, Batch, Residual, assert_equal, batches, plain_net, seeded, sgd, tensors

WHOLE = """\
pruners:
  channels: {class: StructurePruner, sparsity: 0.5}
  fine:
    class: AutomatedGradualPruner
    initial_sparsity: 0.05
    final_sparsity: 0.8
    weights: [conv2.weight, conv3.weight]
regularizers:
  lasso:
    class: GroupLassoRegularizer
    reg_regims: {conv3.weight: [0.001, Channels]}
quantizers:
  qat: {class: LSQQuantizer, bits_weights: 4, bits_activations: 4}
extensions:
  thinner: {class: FilterRemover}
lr_schedulers:
  decay: {class: MultiStepLR, milestones: [2, 4], gamma: 0.5}
policies:
  - {pruner: {instance_name: channels}, epochs: [0]}
  - {extension: {instance_name: thinner}, epochs: [1]}
  - {pruner: {instance_name: fine, args: {mini_batch_pruning_frequency: 2}}, starting_epoch: 1, ending_epoch: 5}
  - {regularizer: {instance_name: lasso}, starting_epoch: 0, ending_epoch: 4}
  - {quantizer: {instance_name: qat}, starting_epoch: 3, ending_epoch: 6}
  - {lr_scheduler: {instance_name: decay}, starting_epoch: 0, ending_epoch: 6}
"""
EPOCHS = 6


class Dropped(Residual):
    """With random numbers in its forward."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.dropout(x, 0.1, self.training))


def make() -> nn.Module:
    return seeded(Dropped)  # type: ignore[no-any-return]


def state_of(scheduler: Scheduler) -> dict[str, Any]:
    assert scheduler.optimizer is not None
    return {
        "model": dict(scheduler.model.state_dict()),
        "optimizer": scheduler.optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "random": torch.get_rng_state(),
    }


def run(scheduler: Scheduler, until: int, stop: tuple[int, int] | None = None, path: Path | None = None) -> None:
    """Train; save at the end of each epoch, or once after minibatch `stop` and leave."""
    data = batches(3)
    optimizer = scheduler.optimizer
    assert optimizer is not None
    for epoch in scheduler.epochs(until):
        scheduler.model.train()
        for images, labels in scheduler.steps(data):
            optimizer.zero_grad()
            scheduler.backward(nn.functional.cross_entropy(scheduler.model(images), labels))
            optimizer.step()
            if stop == (epoch, scheduler.minibatch):
                break
        else:
            continue
        scheduler.on_minibatch_end(epoch)
        assert path is not None
        scheduler.save(path, note="stopped")
        return


def fresh(folder: Path) -> Scheduler:
    path = folder / "schedule.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    model = make()
    torch.manual_seed(5)
    return Scheduler.from_file(path, model, sgd(model), example_inputs=EXAMPLE)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    scheduler = fresh(tmp_path_factory.mktemp("whole"))
    run(scheduler, EPOCHS)
    return state_of(scheduler)


@pytest.mark.parametrize("epoch", range(1, EPOCHS))
def test_resuming_at_an_epoch_is_bit_equal(tmp_path: Path, uninterrupted: dict[str, Any], epoch: int) -> None:
    """AGP, learning rate, lasso, 4-bit LSQ, thinning, dropout."""
    first = fresh(tmp_path)
    run(first, epoch)
    first.save(tmp_path / "last.pt")
    torch.manual_seed(99)
    second, start = Scheduler.resume(tmp_path / "last.pt", make, sgd, example_inputs=EXAMPLE)
    assert start == epoch
    run(second, EPOCHS)
    assert_equal(uninterrupted, state_of(second))


@pytest.mark.parametrize("stop", [(0, 1), (1, 0), (2, 1), (3, 0), (4, 2)])
def test_resuming_within_an_epoch_is_bit_equal(
    tmp_path: Path, uninterrupted: dict[str, Any], stop: tuple[int, int]
) -> None:
    first = fresh(tmp_path)
    run(first, EPOCHS, stop, tmp_path / "last.pt")
    torch.manual_seed(99)
    second, start = Scheduler.resume(tmp_path / "last.pt", make, sgd, example_inputs=EXAMPLE)
    assert (start, second.minibatch) == (stop[0], stop[1] + 1)
    run(second, EPOCHS)
    assert_equal(uninterrupted, state_of(second))


def test_pruners_that_keep_something_resume_bit_equal(tmp_path: Path) -> None:
    """Thresholds of the start, collected activations, random numbers."""

    def policies(scheduler: Scheduler) -> None:
        splicing = SplicingPruner({"3.weight": 0.3}, 0.9, 1.1, 0.1)
        scheduler.add_policy(PruningPolicy(splicing, mask_on_forward_only=True), starting_epoch=0, ending_epoch=4)
        apoz = ranked.APoZAGP(0.1, 0.5, "Filters", "0.weight")
        scheduler.add_policy(PruningPolicy(apoz), starting_epoch=1, ending_epoch=4)
        chance = ranked.BernoulliFilterPruner("Filters", 0.3, "3.weight")
        scheduler.add_policy(
            PruningPolicy(chance, discard_masks_at_minibatch_end=True), starting_epoch=0, ending_epoch=4
        )

    def start() -> Scheduler:
        model = seeded(plain_net)
        scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
        policies(scheduler)
        return scheduler

    whole = start()
    run(whole, 4)
    first = start()
    run(first, 4, (1, 1), tmp_path / "last.pt")
    second, _ = Scheduler.resume(
        tmp_path / "last.pt", lambda: seeded(plain_net), sgd, policies=policies, example_inputs=EXAMPLE
    )
    run(second, 4)
    mine, theirs = state_of(second), state_of(whole)
    mine.pop("random"), theirs.pop("random")
    assert_equal(mine, theirs)


def test_what_is_saved_is_tensors_and_plain_data(tmp_path: Path) -> None:
    scheduler = fresh(tmp_path)
    run(scheduler, 4)
    scheduler.save(tmp_path / "last.pt", best=0.5)
    data = torch.load(tmp_path / "last.pt", weights_only=True)
    assert data["extras"] == {"best": 0.5}
    assert data["scheduler"]["schedule"] == WHOLE
    kinds = {type(leaf) for _, leaf in tensors(data)}
    assert kinds <= {torch.Tensor, bool, int, float, str, type(None)}


def changed(folder: Path, before: str, after: str) -> Scheduler:
    path = folder / "other.yaml"
    path.write_text(WHOLE.replace(before, after), encoding="utf-8")
    model = make()
    return Scheduler.from_file(path, model, sgd(model), example_inputs=EXAMPLE)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("ending_epoch: 4", "ending_epoch: 5", "expected policy 4 as it was saved, lasso in Epochs("),
        ("final_sparsity: 0.8", "final_sparsity: 0.9", "other.yaml:6: expected the schedule that was saved"),
    ],
)
def test_another_schedule_is_refused(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    state = fresh(tmp_path).state_dict()
    with pytest.raises(CompressionError) as caught:
        changed(tmp_path, before, after).load_state_dict(state)
    assert sentence in str(caught.value)


def test_another_model_and_other_files_are_refused(tmp_path: Path) -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    pruner = AutomatedGradualPruner(0.1, 0.5, "3.weight")
    scheduler.add_policy(PruningPolicy(pruner), starting_epoch=0, ending_epoch=2)
    scheduler.on_epoch_begin(0)
    scheduler.save(tmp_path / "last.pt")

    def again(made: Scheduler) -> None:
        made.add_policy(PruningPolicy(AutomatedGradualPruner(0.1, 0.5, ".*weight")), starting_epoch=0, ending_epoch=2)

    with pytest.raises(CompressionError, match=r"expected the name of one parameter, found '3.weight'"):
        Scheduler.resume(tmp_path / "last.pt", Residual, sgd, policies=again)
    torch.save({"a": 1}, tmp_path / "other.pt")
    with pytest.raises(CompressionError, match="found another file at"):
        Scheduler.resume(tmp_path / "other.pt", Residual, sgd)
    (tmp_path / "text.pt").write_text("nothing")
    with pytest.raises(CompressionError, match=r"expected a checkpoint that a scheduler saved, found .*text.pt"):
        Scheduler.resume(tmp_path / "text.pt", Residual, sgd)


def test_masks_of_distillers_checkpoints_are_read() -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    mask = torch.ones(8, 8, 3, 3)
    mask[0] = 0
    scheduler.load_state_dict({"masks_dict": {"module.3.weight": mask, "module.0.weight": None}})
    assert torch.equal(scheduler.masks["3.weight"], mask.bool())  # type: ignore[arg-type]
    assert scheduler.sparsities()["3.weight"] == pytest.approx(1 / 8)
    assert "the state is Distiller's" in scheduler.notes[0]


def data_of(number: int) -> list[Batch]:
    return batches(number)
