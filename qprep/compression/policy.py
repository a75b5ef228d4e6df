"""The base of policies: hooks at the five stages of a training loop, each of which does nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import Parameter

from qprep.compression.training import Metrics, Training
from qprep.compression.windows import Window


class Policy:
    """Something that happens in a training at its time.

    A policy of your own overrides some of the hooks, and is an extension in a schedule file. What it keeps over time
    is in `state_dict`: tensors and plain data.
    """

    name: str = ""
    adds_loss: ClassVar[bool] = False  # whether `before_backward` needs the loss
    is_structural: ClassVar[bool] = False  # whether it removes channels
    needs_example: bool = False  # whether example inputs are needed, now or later

    @property
    def parameters(self) -> Collection[Parameter]:
        """Those that it is about: an error if the model no longer has them."""
        return ()

    def bind(self, training: Training, window: Window) -> None:
        """Check the policy against the model, once, when it is added; raises CompressionError."""

    def on_epoch_begin(self, training: Training, window: Window) -> None:
        """At the beginning of a scheduled epoch."""

    def on_minibatch_begin(self, training: Training, window: Window) -> None:
        """Before the model runs, in the policy's window."""

    def before_backward(self, training: Training, window: Window, loss: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ARG002
        """The loss to go on with and this policy's part of it (None without one), in the policy's window."""
        return loss, None

    def before_step(self, training: Training, window: Window) -> None:
        """Before the optimizer's step, in every minibatch."""

    def after_step(self, training: Training, window: Window) -> None:
        """After the optimizer's step, in every minibatch."""

    def on_minibatch_end(self, training: Training, window: Window) -> None:
        """After the optimizer's step, in the policy's window."""

    def on_epoch_end(self, training: Training, window: Window, metrics: Metrics | None) -> None:
        """At the end of a scheduled epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain data."""
        return {}

    def load_state_dict(self, training: Training, state: Mapping[str, Any]) -> None:
        """Take the result of `state_dict`."""

    def close(self) -> None:
        """Take hooks off the model."""
