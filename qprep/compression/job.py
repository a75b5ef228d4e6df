"""`qprep compress`, without its terminal: trains a model by a schedule, or measures its sensitivity."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils import _pytree as pytree

from qprep.compression.errors import CompressionError
from qprep.compression.policies.quantization import QuantizationPolicy
from qprep.compression.registry import Section
from qprep.compression.rehearsal import Rehearsal, has_quantizers, last_epoch, rehearsed, try_quantizers
from qprep.compression.schedule_file import Schedule, load_schedule
from qprep.compression.scheduled_policy import ScheduledPolicy
from qprep.compression.scheduler import Scheduler
from qprep.compression.sensitivity import ScoreError, Sensitivity, scores_of, sensitivity
from qprep.compression.state import read_checkpoint, set_random_state
from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import caller
from qprep.quantizer.job import JobError
from qprep.quantizer.loaders import Batches, Watch, example_of, ignore
from qprep.tracing import model_target as target
from qprep.tracing.failure import TraceFailure, from_exception
from qprep.tracing.request import Request

OPTIMIZERS: Final = ("sgd", "adam", "adamw")


@dataclass(frozen=True, slots=True)
class TrainJob:
    """One training.

    train      "package.module:name" of a loader of (inputs, labels), or of a function that returns one
    evaluate   the same of a function of the model that returns a number, or numbers by name
    loss       the same of a function of (output, batch); cross-entropy of the output and the last of the batch
    teacher    the same of a model to distil from
    calibrate  the same of a loader
    resume     a checkpoint that an earlier run wrote
    onnx       a file for ONNX Runtime, of the schedule's quantizer
    """

    request: Request
    schedule: Path
    train: str | None = None
    evaluate: str | None = None
    loss: str | None = None
    teacher: str | None = None
    calibrate: str | None = None
    epochs: int | None = None
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    seed: int = 0
    batches: int | None = None
    logs: Path | None = None
    output: Path | None = None
    onnx: Path | None = None
    report: Path | None = None
    checkpoint: Path | None = None
    resume: Path | None = None


@dataclass(frozen=True, slots=True)
class CompressionOutcome:
    """The result of a job: the scheduler, scores by name after the last epoch, files written."""

    scheduler: Scheduler
    scores: Mapping[str, float]
    written: tuple[Path, ...]


def check(job: TrainJob) -> Scheduler:
    """Make everything and train nothing: names, ranges and structures are checked as they will be.

    Raises JobError if the model does not run on the example inputs.
    """
    scheduler = _prepared(job)[0]
    training = scheduler.training
    if training.has_example:
        args, kwargs = training.example
        modes = [(each, each.training) for each in training.model.modules()]
        with _blaming(f"{job.request.target} could not be run on the example inputs"), torch.no_grad():
            training.model.eval()(*args, **kwargs)
        for module, mode in modes:
            module.training = mode
    return scheduler


def rehearse(job: TrainJob, scheduler: Scheduler) -> Rehearsal:
    """The model that the schedule would leave; QprepError if that is unknown without training."""
    training = scheduler.training
    torch.manual_seed(job.seed)
    with _blaming(f"{job.request.target} could not be built"):
        model, _ = target.build(target.find(job.request.target), job.request)
    return rehearsed(load_schedule(job.schedule), model, training.example, training.calibrate)


def run(job: TrainJob, watch: Watch = ignore, tell: Callable[[str], None] = lambda _: None) -> CompressionOutcome:
    """Train by the schedule. Raises QprepError for what is wrong with the job, JobError where the model, its data or
    its functions are at fault.
    """
    if job.train is None:
        raise QprepError("--train: expected a loader of (inputs, labels) to train on, found none")
    scheduler, batches = _prepared(job)
    assert batches is not None  # noqa: S101  (there is a loader)
    evaluate = None if job.evaluate is None else _named("--evaluate", job.evaluate)
    criterion = _cross_entropy if job.loss is None else _named("--loss", job.loss)
    epochs = job.epochs or last_epoch(each.window for each in scheduler.entries)
    if not epochs:
        raise CompressionError("--epochs: expected a number of epochs, found none, and no policy has epochs")
    if job.onnx is not None and not any(_quantizes(each, epochs) for each in scheduler.entries):
        raise _without_quantizer(epochs)
    scores: dict[str, float] = {}
    for epoch in scheduler.epochs(epochs):
        batches.doing = f"epoch {epoch + 1} of {epochs}"
        scheduler.model.train()
        with _blaming(f"{job.request.target} could not be trained on {job.train}"):
            for batch in scheduler.steps(batches):
                _step(scheduler, criterion, batch)
        if evaluate is not None:
            with _blaming(f"{job.evaluate} failed"), torch.no_grad():
                scores = scores_of(evaluate(scheduler.model.eval()))
            scheduler.metrics = dict(scores)
        tell(_line(epoch, scheduler, scores))
        if job.checkpoint is not None:
            scheduler.save(job.checkpoint)
    return CompressionOutcome(scheduler, scores, tuple(_write(job, scheduler, watch)))


def measure(
    request: Request,
    evaluate: str,
    unit: str,
    levels: tuple[float, ...] | None = None,
    watch: Watch = ignore,
) -> Sensitivity:
    """The sensitivity of each weight; see `sensitivity`."""
    function = _named("--evaluate", evaluate)
    with _blaming(f"{request.target} could not be built"):
        model, _ = target.build(target.find(request.target), request)
    settings: dict[str, Any] = {} if levels is None else {"levels": levels}
    with _blaming(f"{evaluate} failed"):
        return sensitivity(model, function, unit=unit, watch=watch, **settings)


def _prepared(job: TrainJob) -> tuple[Scheduler, Batches | None]:
    request = job.request
    schedule = load_schedule(job.schedule)
    _check_needs(job, schedule)
    _check_onnx(job, schedule)
    torch.manual_seed(job.seed)
    with _blaming(f"{request.target} could not be built"):
        model, example = target.build(target.find(request.target), request)
    spare = _copy_of(model) if has_quantizers(schedule) else None
    batches = None
    if job.train is not None:
        with _blaming(f"{job.train} could not be loaded"):
            batches = Batches(target.find(job.train), job.train, limit=job.batches, device=request.device)
    args, kwargs = _example(job, model, example, batches)
    optimizer = _optimizer(job, model)
    settings: dict[str, Any] = {"example_inputs": args or kwargs, "logs": job.logs}
    if job.teacher is not None:
        settings["teacher"] = _teacher(job)
    if job.calibrate is not None:
        with _blaming(f"{job.calibrate} could not be loaded"):
            settings["calibrate"] = Batches(target.find(job.calibrate), job.calibrate, device=request.device)
    scheduler = Scheduler(model, optimizer, **settings)
    scheduler.use(schedule)
    if spare is not None and scheduler.training.has_example:
        with torch.random.fork_rng():
            try_quantizers(schedule, spare, scheduler.training.example, settings.get("calibrate"))
    if job.resume is not None:
        _resume(job.resume, scheduler, model, optimizer)
    return scheduler, batches


def _copy_of(model: nn.Module) -> nn.Module | None:
    """A model to try the quantizers on, before hooks are in it; None where it cannot be copied."""
    try:
        return copy.deepcopy(model)
    except Exception:  # noqa: BLE001  (what classes of users raise)
        return None


def _check_needs(job: TrainJob, schedule: Schedule) -> None:
    distils = any(use.definition.section is Section.DISTILLERS for use in schedule.uses)
    if distils and job.teacher is None:
        raise QprepError("--teacher: expected a teacher model for the schedule's distiller, found none")
    waits = any(use.definition.class_name == ReduceLROnPlateau.__name__ for use in schedule.uses)
    if waits and job.train is not None and job.evaluate is None:
        raise QprepError("--evaluate: expected a function for the schedule's ReduceLROnPlateau, found none")


def _check_onnx(job: TrainJob, schedule: Schedule) -> None:
    if job.onnx is None:
        return
    if not has_quantizers(schedule):
        raise QprepError("--onnx: expected a policy with a quantizer in the schedule, found none")
    if find_spec("onnx") is None:
        raise QprepError("--onnx: expected the onnx package, found none: pip install 'qprep[onnx]'")


def _quantizes(entry: ScheduledPolicy, epochs: int) -> bool:
    """True if a policy puts a quantizer in before the last epoch, as far as that is known without the batches."""
    window = entry.window
    in_time = window.by_steps or any(map(window.in_epoch, range(epochs)))
    return isinstance(entry.policy, QuantizationPolicy) and in_time


def _without_quantizer(epochs: int) -> QprepError:
    return QprepError(f"--onnx: expected a quantizer that starts in the first {epochs} epochs, found none")


def _example(
    job: TrainJob, model: nn.Module, example: object, batches: Batches | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    request = job.request
    if request.maker is None and not request.inputs and example is None:
        if batches is None:
            return (), {}
        with _blaming(f"{job.train} could not be read"):
            args, kwargs = example_of(model, batches)
            return args, dict(kwargs)
    made = target.inputs(request, example)
    return made.args, dict(made.kwargs)


def _optimizer(job: TrainJob, model: nn.Module) -> Optimizer:
    if job.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), job.lr, job.momentum, weight_decay=job.weight_decay)
    if job.optimizer not in OPTIMIZERS:
        raise QprepError(f"--optimizer: expected one of {', '.join(OPTIMIZERS)}, found {job.optimizer!r}")
    kind = torch.optim.Adam if job.optimizer == "adam" else torch.optim.AdamW
    return kind(model.parameters(), lr=job.lr, weight_decay=job.weight_decay)


def _teacher(job: TrainJob) -> nn.Module:
    with _blaming(f"{job.teacher} could not be built"):
        found = target.find(str(job.teacher))
        made = found() if callable(found) and not isinstance(found, nn.Module) else found
    made = made[0] if isinstance(made, tuple) else made
    if not isinstance(made, nn.Module):
        raise QprepError(f"--teacher: expected an nn.Module at {job.teacher}, found {type(made).__name__}")
    return made.to(job.request.device)


def _resume(path: Path, scheduler: Scheduler, model: nn.Module, optimizer: Optimizer) -> None:
    data = read_checkpoint(path)
    scheduler.load_state_dict(data["scheduler"])
    try:
        model.load_state_dict(data["model"])
        optimizer.load_state_dict(data["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise CompressionError(f"--resume: {path} is of another model or optimizer: {error}") from error
    set_random_state(data["random"])


def _step(scheduler: Scheduler, criterion: Callable[[Any, Any], Tensor], batch: object) -> None:
    optimizer = scheduler.optimizer
    assert optimizer is not None  # noqa: S101  (made here)
    output = _called(scheduler, batch)
    optimizer.zero_grad()
    scheduler.backward(criterion(output, batch))
    optimizer.step()


def _called(scheduler: Scheduler, batch: object) -> Any:  # noqa: ANN401
    args, _ = scheduler.training.example
    return caller(scheduler.model, args or (None,)).call(scheduler.model, batch)


def _cross_entropy(output: Any, batch: Any) -> Tensor:  # noqa: ANN401
    labels = batch["labels"] if isinstance(batch, Mapping) else batch[-1]
    logits = output if isinstance(output, Tensor) else pytree.tree_leaves(output)[0]
    return nn.functional.cross_entropy(logits, labels)


def _line(epoch: int, scheduler: Scheduler, scores: Mapping[str, float]) -> str:
    losses = [each.value for each in scheduler.history.events if each.name == "loss"]
    loss = f", loss {losses[-1]:.4f}" if losses else ""
    shown = "".join(f", {name} {value:.6g}" for name, value in scores.items())
    return f"epoch {epoch + 1}: sparsity {scheduler.sparsity:.2%}{loss}{shown}"


def _write(job: TrainJob, scheduler: Scheduler, watch: Watch) -> Iterator[Path]:
    if job.output is not None:
        watch(f"writing {job.output.name}", 0, None)
        scheduler.save(job.output)
        yield job.output
    if job.onnx is not None:
        watch(f"writing {job.onnx.name}", 0, None)
        if scheduler.quantizer is None:
            raise _without_quantizer(scheduler.epoch + 1)
        with _blaming(f"{job.onnx} could not be written"):
            scheduler.quantizer.export_onnx(job.onnx)
        yield job.onnx
    if job.report is not None:
        watch(f"writing {job.report.name}", 0, None)
        scheduler.report().save(job.report)
        yield job.report


def _named(flag: str, name: str) -> Callable[..., Any]:
    with _blaming(f"{name} could not be loaded"):
        found = target.find(name)
    if not callable(found):
        raise QprepError(f"{flag}: expected a function, found {type(found).__name__} at {name}")
    return found


@contextlib.contextmanager
def _blaming(sentence: str) -> Iterator[None]:
    """Make one sentence of what the user's code raises in it."""
    try:
        yield
    except ScoreError as error:
        raise JobError(TraceFailure("run", f"{sentence}: {error}")) from error
    except (JobError, CompressionError):
        raise
    except QprepError as error:
        raise JobError(TraceFailure("run", str(error))) from error
    except (Exception, SystemExit) as error:
        raise JobError(from_exception("run", sentence, error)) from error
