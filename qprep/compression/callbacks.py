"""The five callbacks of a training loop, and its short form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qprep.compression.arguments import check_loss, check_model, example_of, length_of
from qprep.compression.costs import Costs
from qprep.compression.errors import CompressionError
from qprep.compression.history import History
from qprep.compression.logs.record import Recorder
from qprep.compression.masks import Masks
from qprep.compression.names import ParameterNames
from qprep.compression.optimizer_hooks import OptimizerHooks
from qprep.compression.progress import Progress
from qprep.compression.scheduled_policy import ScheduledPolicy
from qprep.compression.training import LossComponent, Metrics, PolicyLoss, Training


class Callbacks:
    """Runs policies at the five stages of a training loop; see `Scheduler`."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer] | None = None,
        *,
        example_inputs: Any = (),  # noqa: ANN401  (of any kind)
        teacher: nn.Module | None = None,
        calibrate: object = None,
        logs: str | Path | None = None,
        log_every: int = 50,
    ) -> None:
        check_model(model)
        names = ParameterNames(model)
        example = example_of(example_inputs)
        self._training = Training(model, None, names, Masks(names), example, teacher, calibrate)
        self.entries: list[ScheduledPolicy] = []
        self.history = History(None if logs is None else Recorder(Path(logs)), log_every)
        self.metrics: dict[str, float] = {}
        self._costs = Costs(self._training)
        self._progress = Progress(self._training.clock, self.history)
        self._hooks = OptimizerHooks(self._training, self.entries)
        self._hooks.adopt(optimizer)

    @property
    def model(self) -> nn.Module:
        """The model in training."""
        return self._training.model

    @property
    def optimizer(self) -> Optimizer | None:
        """Its optimizer; several appear as one."""
        return self._training.optimizer

    @property
    def masks(self) -> Masks:
        """`masks["conv.weight"]`: booleans, False where a weight is 0; None without a mask."""
        return self._training.masks

    @property
    def epoch(self) -> int:
        """The epoch in progress, or the last one."""
        return self._training.clock.epoch

    @property
    def step(self) -> int:
        """The number of minibatches so far."""
        return self._training.clock.step

    @property
    def minibatch(self) -> int:
        """The number of minibatches so far in the epoch in progress."""
        return self._progress.minibatch

    @property
    def next_epoch(self) -> int:
        """The epoch to continue with: the one in progress, or the one after the last."""
        return self._progress.next_epoch

    def on_epoch_begin(self, epoch: int, optimizer: Optimizer | None = None, **_: object) -> None:
        """Call at the beginning of each epoch; CompressionError if epochs are skipped or repeated."""
        self._hooks.adopt(optimizer)
        self._training.follow([parameter for each in self.entries for parameter in each.policy.parameters])
        if self._progress.is_continued(epoch):
            return
        self.masks.apply()  # to values that were loaded since the last step
        if self._progress.begin_epoch(epoch):
            if epoch > 0:
                self._training.note(f"training began at epoch {epoch}, policies of earlier epochs did not run")
            self.history.begin(self._training, self._costs.now())
        for each in self.entries:
            if each.window.in_epoch(epoch):
                with each.blamed():
                    each.policy.on_epoch_begin(self._training, each.window)

    def on_minibatch_begin(
        self,
        epoch: int,
        minibatch_id: int | None = None,
        minibatches_per_epoch: int | None = None,
        optimizer: Optimizer | None = None,
    ) -> None:
        """Call before the model runs on a minibatch; CompressionError before on_epoch_begin of that epoch."""
        self._hooks.adopt(optimizer)
        self._progress.begin_minibatch(epoch, minibatch_id, minibatches_per_epoch)
        self.masks.leave_forward()
        for each in self._active():
            with each.blamed():
                each.policy.on_minibatch_begin(self._training, each.window)
        self.masks.enter_forward()

    def before_backward_pass(  # noqa: PLR0917  (Distiller's order)
        self,
        epoch: int,
        minibatch_id: int | None = None,
        minibatches_per_epoch: int | None = None,
        loss: Tensor | None = None,
        optimizer: Optimizer | None = None,
        return_loss_components: bool = False,
    ) -> Any:  # noqa: ANN401  (a tensor, a PolicyLoss, or None where no loss was given)
        """Return the loss plus the terms of policies; with `return_loss_components` a PolicyLoss with each part.

        `loss` is optional if no policy adds to it. Raises CompressionError for a loss that is not a finite scalar, and
        if a policy needs one.
        """
        del minibatch_id, minibatches_per_epoch
        self._hooks.adopt(optimizer)
        self._progress.check("before_backward_pass", epoch)
        adding = [each for each in self._active() if each.policy.adds_loss]
        if loss is None:
            if adding:
                raise CompressionError(
                    f"expected the loss, which {adding[0].policy.name} adds to, found none: "
                    "loss = scheduler.before_backward_pass(epoch, loss=loss)"
                )
            return PolicyLoss(torch.zeros(()), []) if return_loss_components else None
        check_loss(loss, self.step)
        parts = []
        overall = loss
        for each in adding:
            with each.blamed():
                overall, part = each.policy.before_backward(self._training, each.window, overall)
            if part is not None:
                parts.append(LossComponent(each.policy.name, part))
        self.history.losses(overall, parts)
        return PolicyLoss(overall, parts) if return_loss_components else overall

    def before_parameter_optimization(
        self,
        epoch: int,
        minibatch_id: int | None = None,
        minibatches_per_epoch: int | None = None,
        optimizer: Optimizer | None = None,
    ) -> None:
        """Call before the step of the optimizer: restores unmasked values. The hook of the optimizer does it, too."""
        del minibatch_id, minibatches_per_epoch
        self._hooks.adopt(optimizer)
        self._progress.check("before_parameter_optimization", epoch)
        self.masks.leave_forward()

    def on_minibatch_end(
        self,
        epoch: int,
        minibatch_id: int | None = None,
        minibatches_per_epoch: int | None = None,
        optimizer: Optimizer | None = None,
    ) -> None:
        """Call after the step of the optimizer."""
        del minibatch_id, minibatches_per_epoch
        self._hooks.adopt(optimizer)
        self._progress.check("on_minibatch_end", epoch)
        self._progress.in_minibatch = True
        self.masks.leave_forward()
        for each in self._active():
            with each.blamed():
                each.policy.on_minibatch_end(self._training, each.window)
        self.masks.apply()
        self._progress.advance()

    def on_epoch_end(self, epoch: int, optimizer: Optimizer | None = None, metrics: Metrics | None = None) -> None:
        """Call at the end of each epoch; `metrics` are results of the evaluation, such as {"loss": …}."""
        self._hooks.adopt(optimizer)
        self._progress.check("on_epoch_end", epoch)
        self._progress.leave_minibatch()
        clock = self._training.clock
        clock.minibatches = clock.minibatch or clock.minibatches
        found = {**self.metrics, **(metrics or {})}
        for each in self.entries:
            if each.window.in_epoch(epoch):
                with each.blamed():
                    each.policy.on_epoch_end(self._training, each.window, found)
        self._progress.end_epoch()
        self.metrics = {}
        self.history.epoch_end(self._training, found, self._costs.now())

    def epochs(self, number: int) -> Iterator[int]:
        """Iterate over the remaining epochs up to `number`; set `scheduler.metrics` in the loop for policies."""
        for epoch in range(self.next_epoch, number):
            self.on_epoch_begin(epoch)
            yield epoch
            self.on_epoch_end(epoch)

    def steps(self, loader: Iterable[Any]) -> Iterator[Any]:
        """Iterate over the remaining batches of `loader` in the epoch, each as a minibatch."""
        total = length_of(loader)
        done = self.minibatch
        for number, batch in enumerate(loader):
            if number < done:
                continue
            self.on_minibatch_begin(self.epoch, number, total)
            yield batch
            self.on_minibatch_end(self.epoch, number, total)

    def backward(self, loss: Tensor) -> Tensor:
        """Run `before_backward_pass` and the backward pass of its result, and return the result."""
        found: Tensor = self.before_backward_pass(self.epoch, loss=loss)
        found.backward()  # type: ignore[no-untyped-call]
        return found

    def _active(self) -> list[ScheduledPolicy]:
        return [each for each in self.entries if each.is_active(self._training.clock)]
