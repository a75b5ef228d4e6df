"""The scheduler: policies at their times, by callbacks of any training loop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils import _pytree as pytree

from qprep.compression.build import Locate, add_policies
from qprep.compression.costs import Costs
from qprep.compression.coverage import bare
from qprep.compression.errors import CompressionError, ScheduleError
from qprep.compression.history import History
from qprep.compression.logs.record import Recorder
from qprep.compression.masks import Masks
from qprep.compression.names import ParameterNames
from qprep.compression.optimizers import joined, members_of
from qprep.compression.policy import Policy
from qprep.compression.report import CompressionReport, report_of
from qprep.compression.restoring import RestorePoint
from qprep.compression.schedule_file import Schedule, load_schedule
from qprep.compression.sparsity import sparsity_of, total_sparsity, weights_of
from qprep.compression.state import load_state, resumed, saved_state, write_checkpoint
from qprep.compression.structure import Record
from qprep.compression.training import LossComponent, Metrics, PolicyLoss, Training
from qprep.compression.windows import Window, window
from qprep.foundation.errors import QprepError


@dataclass(frozen=True, slots=True)
class ScheduledPolicy:
    """A policy and when it runs.

    locate  from the sentence of an error to file, line and key, for policies of a schedule file
    """

    policy: Policy
    window: Window
    locate: Locate | None = None

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Errors of the policy with file, line and key, where it comes from a file."""
        try:
            yield
        except ScheduleError:
            raise
        except QprepError as error:
            if self.locate is None:
                raise
            raise ScheduleError(f"{self.locate(str(error))}: {error}") from error


class Scheduler:
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
        _check_model(model)
        names = ParameterNames(model)
        example = example_of(example_inputs)
        self._training = Training(model, None, names, Masks(names), example, teacher, calibrate)
        self.entries: list[ScheduledPolicy] = []
        self.schedule: Schedule | None = None
        self.history = History(None if logs is None else Recorder(Path(logs)), log_every)
        self.metrics: dict[str, float] = {}
        self._costs = Costs(self._training)
        self._in_epoch = self._continuing = self._in_minibatch = False
        self._began = False
        self._handles: list[Any] = []
        self._watching: Any = None
        if optimizer is not None:
            self._adopt(optimizer)

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
        before, number, watching = self.schedule, len(self.entries), self._watching
        point = RestorePoint(self._training)
        self.schedule = schedule
        try:
            add_policies(schedule, self._training, self._add)
        except QprepError:
            for each in self.entries[number:]:
                each.policy.close()
            del self.entries[number:]
            if watching is None and self._watching is not None:
                self._watching.remove()
                self._watching = None
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
    def notes(self) -> list[str]:
        """Exceptions that a user should know: names without a match, groups that stay, channels not removed."""
        return self._training.notes

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
        return self._training.clock.minibatch if self._in_epoch else 0

    @property
    def next_epoch(self) -> int:
        """The epoch to continue with: the one in progress, or the one after the last."""
        return self.epoch if self._in_epoch or not self._began else self.epoch + 1

    @property
    def records(self) -> list[Record]:
        """One for each thinning: `thin(average, scheduler.records[-1])` cuts a model of the same names likewise."""
        return [each["record"] for each in self._training.records if each["kind"] == "thinning"]

    @property
    def sparsity(self) -> float:
        """The share of zeros among all weights of two dimensions or more, 0 to 1."""
        return total_sparsity(self._training.names)

    @property
    def training(self) -> Training:
        """The model, optimizer and masks that policies work on."""
        return self._training

    def on_epoch_begin(self, epoch: int, optimizer: Optimizer | None = None, **_: object) -> None:
        """Call at the beginning of each epoch; CompressionError if epochs are skipped or repeated."""
        self._adopt(optimizer)
        clock = self._training.clock
        if self._continuing and epoch == clock.epoch:
            self._continuing = False
            return
        self._check_epoch(epoch)
        if not self._began and epoch > 0:
            self._training.note(f"training began at epoch {epoch}, policies of earlier epochs did not run")
        clock.epoch, clock.minibatch = epoch, 0
        if not self._began:
            self.history.begin(self._training, self._costs.now())
        self._began, self._in_epoch, self._in_minibatch, self._continuing = True, True, False, False
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
        self._adopt(optimizer)
        self._check_in_epoch("on_minibatch_begin", epoch)
        if self._in_minibatch:
            self._advance()
        clock = self._training.clock
        clock.minibatch = clock.minibatch if minibatch_id is None else minibatch_id
        clock.minibatches = clock.minibatches if minibatches_per_epoch is None else minibatches_per_epoch
        self._in_minibatch = True
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
        self._adopt(optimizer)
        self._check_in_epoch("before_backward_pass", epoch)
        adding = [each for each in self._active() if each.policy.adds_loss]
        if loss is None:
            if adding:
                raise CompressionError(
                    f"expected the loss, which {adding[0].policy.name} adds to, found none: "
                    "loss = scheduler.before_backward_pass(epoch, loss=loss)"
                )
            return PolicyLoss(torch.zeros(()), []) if return_loss_components else None
        self._check_loss(loss)
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
        self._adopt(optimizer)
        self._check_in_epoch("before_parameter_optimization", epoch)
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
        self._adopt(optimizer)
        self._check_in_epoch("on_minibatch_end", epoch)
        self._in_minibatch = True
        self.masks.leave_forward()
        for each in self._active():
            with each.blamed():
                each.policy.on_minibatch_end(self._training, each.window)
        self.masks.apply()
        self._advance()

    def on_epoch_end(self, epoch: int, optimizer: Optimizer | None = None, metrics: Metrics | None = None) -> None:
        """Call at the end of each epoch; `metrics` are results of the evaluation, such as {"loss": …}."""
        self._adopt(optimizer)
        self._check_in_epoch("on_epoch_end", epoch)
        if self._in_minibatch:
            self._advance()
        clock = self._training.clock
        clock.minibatches = clock.minibatch or clock.minibatches
        found = {**self.metrics, **(metrics or {})}
        for each in self.entries:
            if each.window.in_epoch(epoch):
                with each.blamed():
                    each.policy.on_epoch_end(self._training, each.window, found)
        self._in_epoch = self._in_minibatch = False
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
        total = _length(loader)
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
        for handle in (*self._handles, *([self._watching] if self._watching is not None else [])):
            handle.remove()
        for each in self.entries:
            each.policy.close()
        self.entries, self._handles = [], []
        self.history.close()
        return self.model

    def state_dict(self) -> dict[str, Any]:
        """Return everything except the states of model and optimizer, as tensors and plain data."""
        flags = {"in_epoch": self._in_epoch, "began": self._began}
        policies = [(each.policy, each.window) for each in self.entries]
        return saved_state(self._training, policies, self.schedule, self.history, flags)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a `state_dict`: thin and quantize the model as saved; then load the model's own state.

        Raises CompressionError for the state of another schedule or model, with the first difference.
        """
        policies = [(each.policy, each.window) for each in self.entries]
        flags = load_state(self._training, policies, self.schedule, self.history, state)
        self._in_epoch, self._began = flags.get("in_epoch", False), flags.get("began", False)
        self._continuing, self._in_minibatch = self._in_epoch, False

    def save(self, path: str | Path, **extras: Any) -> None:
        """Write model, optimizer, scheduler, random state and `extras` (plain data) to one file, for `resume`."""
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
        if policy.needs_example and not self._training.has_example and not self._watching:
            self._watching = self.model.register_forward_pre_hook(self._remember, with_kwargs=True)

    def _remember(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take the inputs of the first run as example inputs."""
        self._training.example = pytree.tree_map(_detached, (args, kwargs))
        self._training.note("no example inputs were given; the inputs of the first run are used")
        self._training.refresh()
        self._watching.remove()

    def _active(self) -> list[ScheduledPolicy]:
        return [each for each in self.entries if self._is_active(each)]

    def _is_active(self, entry: ScheduledPolicy) -> bool:
        with entry.blamed():
            return entry.window.is_active(self._training.clock)

    def _advance(self) -> None:
        clock = self._training.clock
        self.history.minibatch_end(clock)
        clock.minibatch += 1
        clock.step += 1
        self._in_minibatch = False

    def _adopt(self, optimizer: Optimizer | Sequence[Optimizer] | None) -> None:
        """Hold the masks by the hooks of these optimizers; CompressionError for others than before."""
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

    def _before_step(self, stepping: Optimizer, *_: object) -> None:
        self._training.stepping = stepping
        self.masks.leave_forward()
        for each in self.entries:
            with each.blamed():
                each.policy.before_step(self._training, each.window)
        self.masks.mask_gradients()

    def _after_step(self, stepping: Optimizer, *_: object) -> None:
        self._training.stepping = stepping
        for each in self.entries:
            with each.blamed():
                each.policy.after_step(self._training, each.window)
        self.masks.apply()

    def _check_epoch(self, epoch: int) -> None:
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
            raise CompressionError(f"expected the number of an epoch, from 0 on, found {epoch!r}")
        if self._in_epoch:
            raise CompressionError(
                f"expected on_epoch_end({self.epoch}) before on_epoch_begin({epoch}), found epoch {self.epoch} open"
            )
        if self._began and epoch <= self.epoch:
            raise CompressionError(f"expected epoch {self.epoch + 1} after epoch {self.epoch}, found {epoch} again")
        if self._began and epoch != self.epoch + 1:
            raise CompressionError(f"expected epoch {self.epoch + 1} after epoch {self.epoch}, found {epoch}")

    def _check_in_epoch(self, callback: str, epoch: int) -> None:
        if not self._in_epoch:
            raise CompressionError(f"expected on_epoch_begin({epoch}) before {callback}, found no epoch begun")
        if epoch != self.epoch:
            raise CompressionError(f"expected epoch {self.epoch} in {callback}, found {epoch}")

    def _check_loss(self, loss: object) -> None:
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            found = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise CompressionError(f"expected a scalar tensor as loss, found {found}")
        number = float(loss.detach())  # one number to test costs a step less than three operations of torch
        if not math.isfinite(number):
            raise CompressionError(f"expected a finite loss, found {number} at step {self.step}")


def file_config(
    model: nn.Module, optimizer: Optimizer | Sequence[Optimizer] | None, filename: str | Path, **settings: Any
) -> Scheduler:
    """Distiller's name for `Scheduler.from_file`."""
    return Scheduler.from_file(filename, model, optimizer, **settings)


def example_of(given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:  # noqa: ANN401
    """Positional and keyword inputs of what a user gives: a tensor, a tuple or list, or a mapping of keywords."""
    if given is None:
        return (), {}
    if isinstance(given, Mapping):
        return (), dict(given)
    if isinstance(given, (tuple, list)):
        return tuple(given), {}
    return (given,), {}


def _check_model(model: object) -> None:
    if not isinstance(model, nn.Module):
        raise CompressionError(f"expected an nn.Module, found {type(model).__name__}")
    sharded = any(type(each).__name__ == "FullyShardedDataParallel" for each in model.modules())
    if sharded or any(getattr(each, "device_mesh", None) is not None for each in model.parameters()):
        raise CompressionError(
            "expected a model with whole parameters, found one sharded by FSDP: compress it before, or use DDP"
        )


def _detached(leaf: object) -> object:
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf


def _length(loader: object) -> int | None:
    """The number of batches; None if it is not known."""
    try:
        return len(loader) if isinstance(loader, Sized) else None
    except TypeError:  # of loaders that have a length only with some data
        return None
