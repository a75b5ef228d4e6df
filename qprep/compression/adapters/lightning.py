"""A callback of Lightning: `Trainer(callbacks=[Lightning("schedule.yaml")])`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from qprep.compression.errors import CompressionError
from qprep.compression.scheduler import Scheduler

Maker = Callable[[nn.Module, Optimizer], Scheduler]


def _base() -> type:
    """Lightning's own Callback, of whichever package is installed; a plain class without any."""
    for package in ("lightning.pytorch", "pytorch_lightning"):
        if find_spec(package.split(".")[0]) is not None:
            found = import_module(f"{package}.callbacks").Callback
            return found if isinstance(found, type) else object
    return object


class Lightning(_base()):  # type: ignore[misc]
    """Calls a scheduler in a Lightning training; `scheduler` is there from the start of `fit`.

    An optimizer step is a minibatch: with accumulated gradients the batches of one step are one minibatch. The gradient
    of what policies add to the loss is computed in a backward pass of its own.

    schedule  a file, or a function of (model, optimizer) that returns a Scheduler
    settings  the scheduler's, such as example_inputs
    """

    def __init__(self, schedule: str | Path | Maker, **settings: Any) -> None:
        super().__init__()
        self._schedule, self._settings = schedule, settings
        self.scheduler: Scheduler | None = None
        self._state: Mapping[str, Any] | None = None
        self._open = False

    def on_fit_start(self, trainer: Any, pl_module: nn.Module) -> None:  # noqa: ANN401
        """Make the scheduler around the module and its optimizer; CompressionError for several optimizers."""
        optimizers = trainer.optimizers
        if len(optimizers) != 1:
            raise CompressionError(f"expected one optimizer, found {len(optimizers)}")
        optimizer = getattr(optimizers[0], "optimizer", optimizers[0])
        if callable(self._schedule):
            self.scheduler = self._schedule(pl_module, optimizer)
        else:
            self.scheduler = Scheduler.from_file(self._schedule, pl_module, optimizer, **self._settings)
        if self._state is not None:
            self.scheduler.load_state_dict(self._state)
            self._state = None

    def on_train_epoch_start(self, trainer: Any, pl_module: nn.Module) -> None:  # noqa: ANN401, ARG002
        """As `on_epoch_begin`."""
        self._made.on_epoch_begin(trainer.current_epoch)

    def on_train_batch_start(self, trainer: Any, pl_module: nn.Module, batch: object, batch_idx: int) -> None:  # noqa: ANN401, ARG002
        """As `on_minibatch_begin`, at the first batch of an optimizer step."""
        if not self._open:
            self._made.on_minibatch_begin(trainer.current_epoch, batch_idx // self._number(trainer))
            self._open = True

    def on_before_backward(self, trainer: Any, pl_module: nn.Module, loss: Tensor) -> None:  # noqa: ANN401, ARG002
        """As `before_backward_pass`: the gradient of what policies add is computed here, after Lightning's own."""
        number = self._number(trainer)
        whole = loss * number  # Lightning has divided it by the number of batches in a step
        overall = self._made.before_backward_pass(trainer.current_epoch, loss=whole)
        if overall is not whole:
            _scaled(trainer, (overall - whole) / number).backward(retain_graph=True)  # type: ignore[no-untyped-call]

    def on_train_batch_end(
        self,
        trainer: Any,  # noqa: ANN401
        pl_module: nn.Module,  # noqa: ARG002
        outputs: object,  # noqa: ARG002
        batch: object,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """As `on_minibatch_end`, after the last batch of an optimizer step."""
        last = (batch_idx + 1) % self._number(trainer) == 0 or batch_idx + 1 == trainer.num_training_batches
        if last and self._open:
            self._made.on_minibatch_end(trainer.current_epoch)
            self._open = False

    def on_train_epoch_end(self, trainer: Any, pl_module: nn.Module) -> None:  # noqa: ANN401, ARG002
        """As `on_epoch_end`, with the metrics that callbacks see."""
        if self._open:
            self._made.on_minibatch_end(trainer.current_epoch)
            self._open = False
        metrics = {name: float(value) for name, value in dict(trainer.callback_metrics).items()}
        self._made.on_epoch_end(trainer.current_epoch, metrics=metrics)

    def state_dict(self) -> dict[str, Any]:
        """The scheduler's, for Lightning's checkpoints."""
        return {} if self.scheduler is None else self.scheduler.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Kept until the scheduler is made."""
        self._state = state_dict or None

    @property
    def _made(self) -> Scheduler:
        if self.scheduler is None:
            raise CompressionError("expected on_fit_start before, found a callback that has no scheduler")
        return self.scheduler

    def _number(self, trainer: Any) -> int:  # noqa: ANN401
        return int(getattr(trainer, "accumulate_grad_batches", 1) or 1)


def _scaled(trainer: Any, loss: Tensor) -> Tensor:  # noqa: ANN401
    scaler = getattr(getattr(trainer, "precision_plugin", None), "scaler", None)
    found: Tensor = loss if scaler is None else scaler.scale(loss)
    return found
