"""Lightning and the Hugging Face Trainer: their callback protocols, and they themselves where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import qprep.compression
from qprep.compression import CompressionError, Scheduler
from qprep.compression.adapters.transformers import STATE
from tests.compression.nets import Batch, assert_equal, batches, plain_net, seeded, sgd

SCHEDULE = """\
pruners:
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.6, weights: ["3.weight", "8.weight"]}
REGULAR
policies:
  - {pruner: {instance_name: fine, args: {mini_batch_pruning_frequency: 1}}, starting_epoch: 0, ending_epoch: 3}
USE
"""
BY_GRADIENTS = """\
pruners: {p: {class: GradientRankedFilterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [3.weight]}}
policies: [{pruner: {instance_name: p}, epochs: [1, 2]}]
"""
LASSO = "regularizers:\n  l: {class: L1Regularizer, reg_regims: {0.weight: 0.05}}\n"
USES_LASSO = "  - {regularizer: {instance_name: l}, starting_epoch: 0, ending_epoch: 3}\n"


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.yaml"
    path.write_text(SCHEDULE.replace("REGULAR\n", "").replace("USE\n", ""))
    return path


@pytest.fixture
def with_loss(tmp_path: Path) -> Path:
    path = tmp_path / "with_loss.yaml"
    path.write_text(SCHEDULE.replace("REGULAR\n", LASSO).replace("USE\n", USES_LASSO))
    return path


def by_hand(path: Path, accumulate: int, data: list[Batch]) -> tuple[nn.Module, Scheduler]:
    """The plain loop, with `accumulate` batches a step."""
    model = seeded(plain_net)
    optimizer = sgd(model)
    scheduler = Scheduler.from_file(path, model, optimizer)
    for epoch in range(3):
        scheduler.on_epoch_begin(epoch)
        for place in range(0, len(data), accumulate):
            scheduler.on_minibatch_begin(epoch)
            optimizer.zero_grad()
            for images, labels in data[place : place + accumulate]:
                loss = scheduler.before_backward_pass(epoch, loss=nn.functional.cross_entropy(model(images), labels))
                (loss / accumulate).backward()
            optimizer.step()
            scheduler.on_minibatch_end(epoch)
        scheduler.on_epoch_end(epoch)
    return model, scheduler


class Fitter:
    """Lightning's loop as far as callbacks see it: hooks in its order, the loss divided before `on_before_backward`."""

    def __init__(self, callback: Any, accumulate: int) -> None:
        self.callback, self.accumulate_grad_batches = callback, accumulate
        self.current_epoch, self.callback_metrics = 0, {"loss": torch.tensor(1.0)}
        self.optimizers: list[Any] = []
        self.num_training_batches = 0

    def fit(self, module: nn.Module, optimizer: torch.optim.Optimizer, data: list[Batch]) -> None:
        wrapped = SimpleNamespace(optimizer=optimizer)
        self.optimizers, self.num_training_batches = [wrapped], len(data)
        self.callback.on_fit_start(self, module)
        for self.current_epoch in range(3):
            self.callback.on_train_epoch_start(self, module)
            for number, (images, labels) in enumerate(data):
                self.callback.on_train_batch_start(self, module, (images, labels), number)
                closure = partial(self._closure, module, optimizer, (images, labels), number)
                if (number + 1) % self.accumulate_grad_batches == 0:
                    optimizer.step(closure)
                else:
                    closure()
                self.callback.on_train_batch_end(self, module, None, (images, labels), number)
            self.callback.on_train_epoch_end(self, module)

    def _closure(self, module: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch, number: int) -> float:
        """The loss and its gradients; Lightning passes it to the step."""
        loss = nn.functional.cross_entropy(module(batch[0]), batch[1]) / self.accumulate_grad_batches
        if number % self.accumulate_grad_batches == 0:
            optimizer.zero_grad()
        self.callback.on_before_backward(self, module, loss)
        torch.autograd.backward(loss)
        return float(loss.detach())


@pytest.mark.parametrize("accumulate", [1, 4])
def test_lightnings_hooks_give_the_masks_of_the_plain_loop(schedule: Path, accumulate: int) -> None:
    data = batches(8)
    model, scheduler = by_hand(schedule, accumulate, data)
    other = seeded(plain_net)
    callback = qprep.compression.Lightning(schedule)
    Fitter(callback, accumulate).fit(other, sgd(other), data)
    assert_equal(dict(scheduler.masks), dict(callback.scheduler.masks))
    assert_equal(dict(model.state_dict()), dict(other.state_dict()))
    assert callback.scheduler.step == 3 * 8 // accumulate


@pytest.mark.parametrize("accumulate", [1, 4])
def test_gradients_are_those_of_lightnings_closure(tmp_path: Path, accumulate: int) -> None:
    path = tmp_path / "by_gradients.yaml"
    path.write_text(BY_GRADIENTS)
    data = batches(8)
    _, scheduler = by_hand(path, accumulate, data)
    other = seeded(plain_net)
    callback = qprep.compression.Lightning(path)
    Fitter(callback, accumulate).fit(other, sgd(other), data)
    assert_equal(dict(scheduler.masks), dict(callback.scheduler.masks))


@pytest.mark.parametrize("accumulate", [1, 4])
def test_lightnings_hooks_give_the_losses_of_policies(with_loss: Path, accumulate: int) -> None:
    data = batches(8)
    model, _ = by_hand(with_loss, accumulate, data)
    other = seeded(plain_net)
    callback = qprep.compression.Lightning(with_loss)
    Fitter(callback, accumulate).fit(other, sgd(other), data)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)


def test_lightnings_checkpoints_hold_the_scheduler(schedule: Path) -> None:
    model = seeded(plain_net)
    callback = qprep.compression.Lightning(schedule)
    assert callback.state_dict() == {}
    trainer = Fitter(callback, 1)
    trainer.fit(model, sgd(model), batches(2))
    again = qprep.compression.Lightning(schedule)
    again.load_state_dict(callback.state_dict())
    other = seeded(plain_net)
    other.load_state_dict(model.state_dict())
    trainer.optimizers = [sgd(other)]
    again.on_fit_start(trainer, other)
    assert_equal(dict(callback.scheduler.masks), dict(again.scheduler.masks))
    trainer.optimizers = [sgd(other), sgd(other)]
    with pytest.raises(CompressionError, match="expected one optimizer, found 2"):
        again.on_fit_start(trainer, other)


class SmallTrainer:
    """The Trainer's loop as far as callbacks see it."""

    def __init__(self, model: nn.Module, accumulate: int, folder: Path) -> None:
        self.model, self.optimizer, self.accumulate = model, sgd(model), accumulate
        self.args = SimpleNamespace(output_dir=str(folder), resume_from_checkpoint=None)
        self.state = SimpleNamespace(epoch=0.0, global_step=0, log_history=[{"loss": 1.0}])
        self.callback_handler = SimpleNamespace(callbacks=[])
        self.callbacks: list[Any] = self.callback_handler.callbacks

    def add_callback(self, callback: object) -> None:
        self.callbacks.append(callback)

    def compute_loss(self, model: nn.Module, inputs: Batch, return_outputs: bool = False) -> Any:
        output = model(inputs[0])
        loss = nn.functional.cross_entropy(output, inputs[1])
        return (loss, output) if return_outputs else loss

    def call(self, name: str) -> None:
        for each in self.callbacks:
            getattr(each, name, lambda *_, **__: None)(
                self.args, self.state, None, model=self.model, optimizer=SimpleNamespace(optimizer=self.optimizer)
            )

    def train(self, data: list[Batch]) -> None:
        self.call("on_train_begin")
        for epoch in range(3):
            self.call("on_epoch_begin")
            for number, batch in enumerate(data):
                if number % self.accumulate == 0:
                    self.call("on_step_begin")
                    self.optimizer.zero_grad()
                loss: Tensor = self.compute_loss(self.model, batch)
                (loss / self.accumulate).backward()  # type: ignore[no-untyped-call]
                if (number + 1) % self.accumulate == 0:
                    self.optimizer.step()
                    self.state.global_step += 1
                    self.call("on_step_end")
            self.state.epoch = epoch + 1.0
            self.call("on_epoch_end")
        self.call("on_save")


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("name", ["schedule", "with_loss"])
def test_the_trainers_hooks_give_the_masks_of_the_plain_loop(
    name: str, accumulate: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(name)
    data = batches(8)
    model, scheduler = by_hand(path, accumulate, data)
    other = seeded(plain_net)
    trainer = SmallTrainer(other, accumulate, tmp_path / "out")
    callback = qprep.compression.HuggingFace(path)
    callback.attach(trainer)
    trainer.train(data)
    assert_equal(dict(scheduler.masks), dict(callback.scheduler.masks))
    assert_equal(dict(model.state_dict()), dict(other.state_dict()))
    saved = tmp_path / "out" / f"checkpoint-{trainer.state.global_step}" / STATE
    assert_equal(torch.load(saved, weights_only=True), callback.scheduler.state_dict())


def test_the_trainer_needs_attach_for_losses(with_loss: Path, tmp_path: Path) -> None:
    trainer = SmallTrainer(seeded(plain_net), 1, tmp_path)
    trainer.add_callback(qprep.compression.HuggingFace(with_loss))
    with pytest.raises(CompressionError, match=r"expected attach\(trainer\) for l, which add to the loss"):
        trainer.train(batches(2))


def made(path: Path) -> Callable[[nn.Module, torch.optim.Optimizer], Scheduler]:
    return lambda model, optimizer: Scheduler.from_file(path, model, optimizer)


def test_lightning_itself(schedule: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = seeded(plain_net)

        def training_step(self, batch: Batch, _: int) -> Tensor:
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return sgd(self)

    path = schedule.parent / "lightning.yaml"
    path.write_text(schedule.read_text().replace('"3.weight", "8.weight"', '"net.3.weight", "net.8.weight"'))
    callback = qprep.compression.Lightning(path)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(max_epochs=3, callbacks=[callback], **quiet)
    module = Module()
    trainer.fit(module, torch.utils.data.DataLoader(batches(4), batch_size=None))  # type: ignore[arg-type]
    _, scheduler = by_hand(schedule, 1, batches(4))
    assert_equal([mask for _, mask in scheduler.masks], [mask for _, mask in callback.scheduler.masks])
