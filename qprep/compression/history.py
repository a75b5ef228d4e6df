"""Records of a training: values by epoch in memory, and by step in the logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from qprep.compression.logs.record import Event, Recorder
from qprep.compression.sparsity import kernel_sparsity, sparsity_of, total_sparsity, weights_of
from qprep.compression.training import LossComponent, Training
from qprep.compression.windows import TrainingClock

MACS: Final = "macs"  # the name of multiply-accumulates in the log


@dataclass(frozen=True, slots=True)
class _Mean:
    total: float = 0.0
    number: int = 0


class History:
    """Means of losses by epoch, sparsity, learning rates and metrics at their ends.

    recorder   where events go too, None for nowhere
    log_every  every how many minibatches losses are logged by step
    """

    def __init__(self, recorder: Recorder | None, log_every: int) -> None:
        self.events: list[Event] = []
        self._recorder, self._every = recorder, max(int(log_every), 1)
        self._latest: dict[str, Tensor] = {}
        self._means: dict[str, _Mean] = {}

    def losses(self, overall: Tensor, parts: Sequence[LossComponent]) -> None:
        """The losses of a minibatch."""
        self._latest = {"loss": overall.detach(), **{f"loss/{part.name}": part.value.detach() for part in parts}}

    def minibatch_end(self, clock: TrainingClock) -> None:
        """Add the losses to the means, and log them where it is time."""
        latest, self._latest = self._latest, {}
        for name, value in latest.items():
            number = float(value)
            mean = self._means.get(name, _Mean())
            self._means[name] = _Mean(mean.total + number, mean.number + 1)
            if self._recorder is not None and clock.step % self._every == 0:
                self._recorder.write([Event(clock.step, clock.epoch, f"step/{name}", number)])

    def begin(self, training: Training, macs: int | None) -> None:
        """The multiply-accumulates before anything was removed, None if they are not known."""
        if macs is not None:
            self._keep([Event(training.clock.step, training.clock.epoch, MACS, float(macs))])

    def epoch_end(self, training: Training, metrics: Mapping[str, float], macs: int | None) -> None:
        """The values of an epoch, kept and logged."""
        clock = training.clock
        found: dict[str, float] = {name: each.total / each.number for name, each in self._means.items()}
        found |= {f"metrics/{name}": float(value) for name, value in metrics.items()}
        found |= self._rates(training)
        for name, parameter in weights_of(training.names):
            found[f"sparsity/weights/{name}"] = sparsity_of(parameter)
            found[f"sparsity-2D/weights/{name}"] = kernel_sparsity(parameter)
        found["sparsity/weights/total"] = total_sparsity(training.names)
        if macs is not None:
            found[MACS] = float(macs)
        self._keep([Event(clock.step, clock.epoch, name, value) for name, value in found.items()])
        self._means = {}
        if self._recorder is not None:
            self._recorder.weights(clock.step, training.names)

    def close(self) -> None:
        """Close the logs."""
        if self._recorder is not None:
            self._recorder.close()

    def state_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "events": [[each.step, each.epoch, each.name, each.value] for each in self.events],
            "means": {name: [each.total, each.number] for name, each in self._means.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `state_dict`."""
        self.events = [Event(*each) for each in state["events"]]
        self._means = {name: _Mean(*each) for name, each in state["means"].items()}

    def _keep(self, events: list[Event]) -> None:
        self.events += events
        if self._recorder is not None:
            self._recorder.write(events)

    def _rates(self, training: Training) -> dict[str, float]:
        if training.optimizer is None:
            return {}
        groups = training.optimizer.param_groups
        rates = [float(torch.as_tensor(group["lr"])) for group in groups if "lr" in group]
        return {f"lr/{place}": rate for place, rate in enumerate(rates)}
