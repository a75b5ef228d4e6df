"""A callback of the Hugging Face Trainer: `callback.attach(trainer)` once the trainer is made."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qprep.compression.errors import CompressionError
from qprep.compression.scheduler import Scheduler

Maker = Callable[[nn.Module, Optimizer], Scheduler]
STATE: Final = "qprep_scheduler.pt"


def _base() -> type:
    """TrainerCallback, where transformers is installed; a plain class without it."""
    if find_spec("transformers") is None:
        return object
    found = import_module("transformers").TrainerCallback
    return found if isinstance(found, type) else object


class HuggingFace(_base()):  # type: ignore[misc]
    """Calls a scheduler in `Trainer.train`; `scheduler` is there once the training has begun.

    An optimizer step is a minibatch, whatever the accumulation of gradients. Losses of policies need `attach`, which
    wraps `compute_loss`. The scheduler's state is saved next to each checkpoint and read from that which the training
    resumes from.

    schedule  a file, or a function of (model, optimizer) that returns a Scheduler
    settings  the scheduler's, such as example_inputs
    """

    def __init__(self, schedule: str | Path | Maker, **settings: Any) -> None:
        super().__init__()
        self._schedule, self._settings = schedule, settings
        self.scheduler: Scheduler | None = None
        self._epoch = 0
        self._open = self._attached = False

    def attach(self, trainer: Any) -> None:  # noqa: ANN401
        """Let policies add to the loss of `trainer`, and add this callback where the trainer does not have it."""
        inner = trainer.compute_loss

        def compute_loss(model: nn.Module, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:  # noqa: ANN401
            loss, outputs = inner(model, inputs, return_outputs=True, **kwargs)
            if model.training and self.scheduler is not None and self._open:
                loss = self._with_policies(loss)
            return (loss, outputs) if return_outputs else loss

        trainer.compute_loss = compute_loss
        self._attached = True
        if self not in trainer.callback_handler.callbacks:
            trainer.add_callback(self)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Make the scheduler; CompressionError if policies add to the loss and `attach` was not called."""
        model, optimizer = kwargs["model"], kwargs["optimizer"]
        optimizer = getattr(optimizer, "optimizer", optimizer)
        if callable(self._schedule):
            self.scheduler = self._schedule(model, optimizer)
        else:
            self.scheduler = Scheduler.from_file(self._schedule, model, optimizer, **self._settings)
        adding = [each.policy.name for each in self.scheduler.entries if each.policy.adds_loss]
        if adding and not self._attached:
            raise CompressionError(
                f"expected attach(trainer) for {', '.join(adding)}, which add to the loss, found none"
            )
        self._epoch = int(state.epoch or 0)
        self._load(getattr(args, "resume_from_checkpoint", None))

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """As the scheduler's."""
        self._made.on_epoch_begin(self._epoch)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """As `on_minibatch_begin`; the Trainer calls it once for each optimizer step."""
        self._made.on_minibatch_begin(self._epoch)
        self._open = True

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """As `on_minibatch_end`."""
        if self._open:
            self._made.on_minibatch_end(self._epoch)
            self._open = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """As the scheduler's, with the numbers that were logged last."""
        logged = state.log_history[-1] if getattr(state, "log_history", None) else {}
        metrics = {name: float(value) for name, value in logged.items() if isinstance(value, (int, float))}
        self._made.on_epoch_end(self._epoch, metrics=metrics)
        self._epoch += 1

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Write the scheduler's state into the checkpoint's folder."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self._made.state_dict(), folder / STATE)

    @property
    def _made(self) -> Scheduler:
        if self.scheduler is None:
            raise CompressionError("expected on_train_begin before, found a callback that has no scheduler")
        return self.scheduler

    def _with_policies(self, loss: Tensor) -> Tensor:
        found: Tensor = self._made.before_backward_pass(self._epoch, loss=loss)
        return found

    def _load(self, folder: object) -> None:
        if isinstance(folder, (str, Path)) and (Path(folder) / STATE).exists():
            saved = torch.load(Path(folder) / STATE, weights_only=True, map_location="cpu")
            self._made.load_state_dict(saved)
