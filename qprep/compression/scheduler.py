"""The scheduler: policies at their times, by callbacks of any training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from torch import nn
from torch.optim import Optimizer

from qprep.compression.build import Locate, add_policies
from qprep.compression.callbacks import Callbacks
from qprep.compression.coverage import bare
from qprep.compression.errors import CompressionError
from qprep.compression.first_run import FirstRun
from qprep.compression.policies.quantization import QuantizationPolicy
from qprep.compression.policy import Policy
from qprep.compression.report import CompressionReport, report_of
from qprep.compression.restoring import RestorePoint
from qprep.compression.schedule_file import Schedule, load_schedule
from qprep.compression.scheduled_policy import ScheduledPolicy
from qprep.compression.sparsity import sparsity_of, total_sparsity, weights_of
from qprep.compression.state import load_state, resumed, saved_state, write_checkpoint
from qprep.compression.structure import Record
from qprep.compression.training import Training
from qprep.compression.windows import Window, window
from qprep.foundation.errors import QprepError
from qprep.quantizer import Quantizer


class Scheduler(Callbacks):
    """Runs policies in a training.

    Call `on_epoch_begin`, `on_minibatch_begin`, `before_backward_pass`, `on_minibatch_end` and `on_epoch_end` in the
    loop, with Distiller's arguments; numbers of minibatches are optional. A hook of the optimizer applies the masks,
    also if a callback is missing.

    optimizer       an optimizer of torch, or a list of them if parts of the model have separate ones
    example_inputs  positional inputs as a tuple, one tensor, or a mapping of keywords; structures, quantizers and
                    BatchNorm folding need them
    teacher         a model to distil from
    calibrate       batches for rankings by activations
    logs            a folder for log.jsonl, TensorBoard events and weights_sparsity.csv

    Raises CompressionError for a model or an optimizer of another type, and for a model that FSDP shards.
    """

    schedule: Schedule | None = None
    _first_run: FirstRun | None = None

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer] | None = None,
        **settings: Any,
    ) -> Self:
        """Return a scheduler with the policies of a schedule file; `settings` are arguments of the constructor.

        Raises ScheduleError with file, line and key for errors in the file.
        """
        schedule = load_schedule(path)
        scheduler = cls(model, optimizer, **settings)
        try:
            scheduler.use(schedule)
        except QprepError:
            scheduler.finish()
            raise
        return scheduler

    def use(self, schedule: Schedule) -> None:
        """Add the policies of a schedule: all of them, or none where one raises an error."""
        before, number, first_run = self.schedule, len(self.entries), self._first_run
        point = RestorePoint(self._training)
        self.schedule = schedule
        try:
            add_policies(schedule, self._training, self._add)
        except QprepError:
            for each in self.entries[number:]:
                each.policy.close()
            del self.entries[number:]
            if first_run is None and self._first_run is not None:
                self._first_run.remove()
                self._first_run = None
            self.schedule = before
            point.restore()
            raise

    def add_policy(
        self,
        policy: Policy,
        epochs: Sequence[int] | None = None,
        starting_epoch: float | None = None,
        ending_epoch: float | None = None,
        frequency: float = 1,
        *,
        steps: Sequence[int] | None = None,
    ) -> None:
        """Run `policy` in these epochs: a list, or from starting_epoch to before ending_epoch, every frequency-th.

        Fractions of epochs are allowed in a range; `steps` is [first, end] in minibatches instead. A policy may be
        added several times. Raises CompressionError for invalid times, and if model and policy do not fit.
        """
        if not isinstance(policy, Policy):
            raise CompressionError(f"expected a policy, found {type(policy).__name__}")
        others = {each.policy.name for each in self.entries if each.policy is not policy}
        name, number = policy.name, 2
        while policy.name in others:  # a name owns its masks
            policy.name, number = f"{name} {number}", number + 1
        self._add(policy, window(epochs, starting_epoch, ending_epoch, frequency, steps))

    @property
    def notes(self) -> list[str]:
        """Exceptions that a user should know: names without a match, groups that stay, channels not removed."""
        return self._training.notes

    @property
    def records(self) -> list[Record]:
        """One for each thinning: `thin(average, scheduler.records[-1])` cuts a model of the same names likewise."""
        return [each["record"] for each in self._training.records if each["kind"] == "thinning"]

    @property
    def quantizer(self) -> Quantizer | None:
        """The quantizer in the model, for `convert` and `export_onnx`; None before its policy starts."""
        started = (each.policy.quantizer for each in self.entries if isinstance(each.policy, QuantizationPolicy))
        return next((each for each in started if each is not None), None)

    @property
    def sparsity(self) -> float:
        """The share of zeros among all weights of two dimensions or more, 0 to 1."""
        return total_sparsity(self._training.names)

    @property
    def training(self) -> Training:
        """The model, optimizer and masks that policies work on."""
        return self._training

    def sparsities(self) -> dict[str, float]:
        """The share of zeros of each weight of two dimensions or more, by name."""
        return {name: sparsity_of(each) for name, each in weights_of(self._training.names)}

    def report(self) -> CompressionReport:
        """Return sparsity by layer and over time, loss components, removed channels and notes."""
        structural = any(each.policy.is_structural for each in self.entries)
        frozen = self._costs.frozen() if structural else ()
        policies = [(each.policy.name, each.window) for each in self.entries]
        return report_of(self._training, self.history, policies, frozen)

    def finish(self) -> nn.Module:
        """Remove all hooks and return the model with zeros in the masked weights; the scheduler then does nothing."""
        self.masks.leave_forward()
        self.masks.apply()
        self._hooks.remove()
        if self._first_run is not None:
            self._first_run.remove()
        for each in self.entries:
            each.policy.close()
        self.entries.clear()
        self.history.close()
        return self.model

    def state_dict(self) -> dict[str, Any]:
        """Return everything except the states of model and optimizer, as tensors and plain data."""
        policies = [(each.policy, each.window) for each in self.entries]
        return saved_state(self._training, policies, self.schedule, self.history, self._progress.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a `state_dict`: thin and quantize the model as saved; then load the model's own state.

        Raises CompressionError for the state of another schedule or model, with the first difference.
        """
        policies = [(each.policy, each.window) for each in self.entries]
        self._progress.load_state_dict(load_state(self._training, policies, self.schedule, self.history, state))

    def save(self, path: str | Path, **extras: Any) -> None:
        """Write model, optimizer, scheduler, random state and `extras` (plain data) to one file, for `resume`."""
        with self.masks.left():
            write_checkpoint(Path(path), bare(self.model), self.optimizer, self.state_dict(), extras)

    @classmethod
    def resume(
        cls,
        path: str | Path,
        make_model: Any,  # noqa: ANN401  (a function of nothing)
        make_optimizer: Any = None,  # noqa: ANN401  (a function of the model)
        *,
        policies: Any = None,  # noqa: ANN401  (a function of the scheduler)
        **settings: Any,
    ) -> tuple[Self, int]:
        """Return the saved scheduler around a new model, and the epoch to continue with.

        policies  a function that adds the policies that `add_policy` had added
        settings  arguments of the constructor, such as example_inputs

        Raises CompressionError for a file that `save` did not write, another schedule, and another model.
        """

        scheduler: Self = resumed(Path(path), make_model, make_optimizer, partial(cls, **settings), policies)
        return scheduler, scheduler.next_epoch

    def _add(self, policy: Policy, when: Window, locate: Locate | None = None) -> None:
        try:
            policy.bind(self._training, when)
        except QprepError:
            policy.close()
            raise
        self.entries.append(ScheduledPolicy(policy, when, locate))
        if policy.needs_example and not self._training.has_example and not self._first_run:
            self._first_run = FirstRun(self._training)


def file_config(
    model: nn.Module, optimizer: Optimizer | Sequence[Optimizer] | None, filename: str | Path, **settings: Any
) -> Scheduler:
    """Distiller's name for `Scheduler.from_file`."""
    return Scheduler.from_file(filename, model, optimizer, **settings)
