"""A learning rate schedule at its times."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from qprep.compression.errors import CompressionError
from qprep.compression.lr import takes_epoch
from qprep.compression.policy import Policy
from qprep.compression.training import Metrics, Training
from qprep.compression.windows import Window


class LRPolicy(Policy):
    """Steps a schedule of torch at the end of each of its epochs, to that of epoch + 1; or at its steps, one by one.

    ReduceLROnPlateau gets the metric called `metric`, or after its mode ("min", "max"), or the only one there is.
    """

    name: str = "lr"

    def __init__(self, lr_scheduler: LRScheduler, *, metric: str = "", name: str = "") -> None:
        if not isinstance(lr_scheduler, LRScheduler):
            raise CompressionError(
                f"expected a scheduler of torch.optim.lr_scheduler, found {type(lr_scheduler).__name__}"
            )
        self.scheduler, self.metric, self.name = lr_scheduler, metric, name or type(lr_scheduler).__name__
        self._groups = len(lr_scheduler.optimizer.param_groups)

    def on_minibatch_end(self, training: Training, window: Window) -> None:
        """One step, of those with a window of steps."""
        if window.acts(training.clock):
            self._extend()
            self._step(None)

    def on_epoch_end(self, training: Training, window: Window, metrics: Metrics | None) -> None:  # noqa: ARG002
        """To the rate of the next epoch."""
        self._extend()
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(self._chosen(metrics))
            return
        self._step(training.clock.epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """The schedule's own."""
        found = {name: value for name, value in self.scheduler.state_dict().items() if not callable(value)}
        return {"scheduler": found, "groups": self._groups}

    def load_state_dict(self, training: Training, state: Mapping[str, Any]) -> None:  # noqa: ARG002
        """See `state_dict`."""
        self.scheduler.load_state_dict(dict(state["scheduler"]))
        self._groups = state["groups"]

    def _step(self, epoch: int | None) -> None:
        """torch warns of an epoch as argument, which is what a schedule by epochs needs, and of no optimizer step."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            if epoch is not None and takes_epoch(self.scheduler):
                self.scheduler.step(epoch)
            else:
                self.scheduler.step()

    def _chosen(self, metrics: Metrics | None) -> float:
        mode = self.scheduler.mode  # type: ignore[attr-defined]
        found = dict(metrics or {})
        if not found:
            raise CompressionError(
                f"expected metrics in on_epoch_end for {self.name}, found none: "
                "on_epoch_end(epoch, metrics={'loss': …})"
            )
        wanted = self.metric or (mode if mode in found else next(iter(found)) if len(found) == 1 else "loss")
        if wanted not in found:
            raise CompressionError(f"expected the metric {wanted!r} for {self.name}, found {', '.join(found)}")
        return float(found[wanted])

    def _extend(self) -> None:
        """Lists with a value for each group of the optimizer get one for groups that were added since."""
        groups = self.scheduler.optimizer.param_groups
        added = groups[self._groups :]
        if not added:
            return
        for value in vars(self.scheduler).values():
            if isinstance(value, list) and len(value) == self._groups:
                value.extend([value[-1]] * len(added))
        for place, group in enumerate(added, self._groups):
            group.setdefault("initial_lr", group["lr"])
            self.scheduler.base_lrs[place] = group["initial_lr"]
        self._groups = len(groups)
