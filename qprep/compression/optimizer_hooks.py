"""Hooks of the optimizer: policies before and after its step, masks applied behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer

from qprep.compression.errors import CompressionError
from qprep.compression.optimizers import joined, members_of
from qprep.compression.scheduled_policy import ScheduledPolicy
from qprep.compression.training import Training


class OptimizerHooks:
    """Holds the masks of a training, also where a callback is missing."""

    def __init__(self, training: Training, entries: Sequence[ScheduledPolicy]) -> None:
        self._training, self._entries = training, entries
        self._handles: list[Any] = []

    def adopt(self, optimizer: Optimizer | Sequence[Optimizer] | None) -> None:
        """Hold the masks by the steps of these optimizers; CompressionError for others than before."""
        known = self._training.optimizer
        if optimizer is None or optimizer is known:
            return
        given = joined(optimizer)
        if known is not None:
            if set(members_of(given)) <= set(members_of(known)):
                return
            raise CompressionError(
                f"expected the optimizer that the scheduler was given ({type(known).__name__}), found another "
                f"({type(given).__name__})"
            )
        self._training.optimizer = given
        for each in members_of(given):
            self._handles.append(each.register_step_pre_hook(self._before_step))
            self._handles.append(each.register_step_post_hook(self._after_step))

    def remove(self) -> None:
        """Take all hooks off."""
        for each in self._handles:
            each.remove()
        self._handles = []

    def _before_step(self, stepping: Optimizer, *_: object) -> None:
        self._training.stepping = stepping
        self._training.masks.leave_forward()
        for each in self._entries:
            with each.blamed():
                each.policy.before_step(self._training, each.window)
        self._training.masks.mask_gradients()

    def _after_step(self, stepping: Optimizer, *_: object) -> None:
        self._training.stepping = stepping
        for each in self._entries:
            with each.blamed():
                each.policy.after_step(self._training, each.window)
        self._training.masks.apply()
