"""`qprep quantize`, without its terminal: from the names of a model and its data to files and a report."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.config.job_config import QuantConfig, pass_at
from qprep.quantizer.loaders import Batches, LoaderError, Watch, example_of, ignore
from qprep.quantizer.methods.adaround import AdaRoundQuantizer
from qprep.quantizer.methods.lapq import LAPQQuantizer
from qprep.quantizer.methods.method_names import METHODS
from qprep.quantizer.quantizer_base import Quantizer
from qprep.quantizer.quantizer_errors import NotPreparedError
from qprep.quantizer.report.quantization_report import QuantizationReport
from qprep.quantizer.report.report_data import Fact, Score
from qprep.tracing import model_target
from qprep.tracing.failure import TraceFailure, from_exception
from qprep.tracing.request import Request

_WITHOUT_FIX = "pass --prepare to rewrite a copy for this run only, or --allow-unprepared"


class JobError(Exception):
    """The model, its data or its functions are at fault: not the command, and not qprep."""

    def __init__(self, failure: TraceFailure) -> None:
        super().__init__(str(failure))


@dataclass(frozen=True, slots=True)
class QuantizeJob:
    """One command.

    calibrate  "package.module:name" of a loader, or of a function that returns one
    evaluate   the same of a function of the model that returns a number, or numbers by name
    loss       the same of a function of (output, batch) that returns what LAPQ makes small
    settings   what the command line says of all modules; before what `config` says
    passes     "package.module:function" each: functions of the graph, in addition to those that `config` names
    batches    how many of the loader count, None for all
    """

    request: Request
    calibrate: str
    evaluate: str | None = None
    loss: str | None = None
    method: str | None = None
    config: QuantConfig | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    passes: tuple[str, ...] = ()
    batches: int | None = None
    allow_unprepared: bool = False
    sensitivity: bool = False
    output: Path | None = None
    onnx: Path | None = None
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class QuantizeOutcome:
    """The result of a job: its report, (name, float, quantized) of each score, files written."""

    report: QuantizationReport
    scores: tuple[tuple[str, float, float], ...]
    written: tuple[Path, ...]


def run(job: QuantizeJob, watch: Watch = ignore) -> QuantizeOutcome:
    """Do it. Raises QprepError for what is wrong with the job, JobError where the model or its data are at fault."""
    _check_places(job)
    torch.manual_seed(0)
    request = job.request
    with _blaming(f"{request.target} could not be built"):
        model, example = model_target.build(model_target.find(request.target), request)
    with _blaming(f"{job.calibrate} could not be loaded"):
        found = model_target.find(job.calibrate)
    evaluate = None if job.evaluate is None else _function("--evaluate", job.evaluate)
    batches = Batches(found, job.calibrate, limit=job.batches, device=request.device, watch=watch)
    quantizer = _made(job, model)
    _prepare(quantizer, job, example, batches)
    failure = _export_failure(quantizer, job, watch)
    with _blaming(f"{request.target} could not be calibrated on {job.calibrate}"):
        batches.doing = "calibrating"
        _calibrate(quantizer, batches, watch)
        quantized = quantizer.convert()
    scores = () if evaluate is None else tuple(_scores(job, evaluate, model, quantized, watch))
    with _blaming(f"{request.target} could not be compared on {job.calibrate}"):
        batches.doing = "comparing"
        report = quantizer.report(batches, sensitivity=job.sensitivity, watch=watch)
    report = replace(report, facts=(*_facts(job), *report.facts), scores=tuple(Score(*each) for each in scores))
    written = tuple(_write(job if failure is None else replace(job, onnx=None), quantizer, report, watch))
    if failure is not None:
        raise failure
    return QuantizeOutcome(report, scores, written)


def _facts(job: QuantizeJob) -> Iterator[Fact]:
    """The names of the command: model, data, evaluation."""
    yield Fact("model", job.request.target)
    yield Fact("calibrated on", job.calibrate)
    if job.evaluate is not None:
        yield Fact("evaluated by", job.evaluate)


def _made(job: QuantizeJob, model: nn.Module) -> Quantizer:
    config = job.config or QuantConfig()
    settings = dict(job.settings)
    if job.loss is not None:
        method = job.method or config.method or "ptq"
        if "loss" not in inspect.signature(METHODS[method]).parameters:
            raise QprepError(f"--loss: expected a method that searches by one (lapq), found {method}")
        settings["loss"] = _function("--loss", job.loss)
    if job.passes:
        own = [pass_at(each, "--pass") for each in job.passes]
        settings["passes"] = [*config.arguments.get("passes", ()), *own]
    return config.quantizer(model, job.method, **settings)


def _check_places(job: QuantizeJob) -> None:
    """QprepError, before any work is done, for a file that cannot be written afterwards."""
    for path in filter(None, (job.output, job.onnx, job.report)):
        folder = next(each for each in path.absolute().parents if each.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise QprepError(f"{path} cannot be written: {folder} is not a writable folder")
    if job.onnx is not None and find_spec("onnx") is None:
        raise QprepError("--onnx: expected the onnx package, found none: pip install 'qprep[onnx]'")


def _prepare(quantizer: Quantizer, job: QuantizeJob, example: object, batches: Batches) -> None:
    request = job.request
    with _blaming(f"{request.target} could not be run"):
        if request.maker is None and not request.inputs and example is None:
            args, kwargs = example_of(quantizer.model, batches)
        else:
            made = model_target.inputs(request, example)
            args, kwargs = made.args, dict(made.kwargs)
        try:
            quantizer.prepare_model(*args, allow_unprepared=job.allow_unprepared, **kwargs)
        except NotPreparedError as error:
            raise QprepError(str(error).replace("pass allow_unprepared=True", _WITHOUT_FIX)) from error


def _export_failure(quantizer: Quantizer, job: QuantizeJob, watch: Watch) -> JobError | None:
    """Found before any calibration: the operations that no ONNX file holds. Raised where nothing else is to be written.

    Else the report and the model are written first.
    """
    if job.onnx is None:
        return None
    watch("trying the ONNX export", 0, None)
    try:
        with _blaming(f"{job.request.target} could not be exported"):
            quantizer.check_onnx()
    except JobError as error:
        if job.report is None and job.output is None:
            raise
        return error
    return None


def _calibrate(quantizer: Quantizer, batches: Batches, watch: Watch) -> None:
    if isinstance(quantizer, (AdaRoundQuantizer, LAPQQuantizer)):
        what = "rounding" if isinstance(quantizer, AdaRoundQuantizer) else "searching"
        quantizer.calibrate(batches, progress=partial(watch, what))
    else:
        quantizer.calibrate(batches)


def _function(flag: str, name: str) -> Any:  # noqa: ANN401  (of the user's)
    with _blaming(f"{name} could not be loaded"):
        found = model_target.find(name)
    if not callable(found):
        raise QprepError(f"{flag}: expected a function, found {type(found).__name__} at {name}")
    return found


def _scores(
    job: QuantizeJob,
    evaluate: Any,  # noqa: ANN401
    model: nn.Module,
    quantized: nn.Module,
    watch: Watch,
) -> Iterator[tuple[str, float, float]]:
    found = []
    for done, each in enumerate((model, quantized)):
        watch("evaluating", done, 2)
        with _blaming(f"{job.evaluate} failed"), torch.no_grad():
            found.append(_numbers(evaluate(each.eval()), str(job.evaluate)))
    watch("evaluating", 2, 2)
    before, after = found
    for name, value in before.items():
        yield name, value, after.get(name, float("nan"))


def _numbers(result: object, name: str) -> dict[str, float]:
    if isinstance(result, Mapping):
        return {str(key): _number(value, name) for key, value in result.items()}
    return {name.rpartition(":")[2]: _number(result, name)}


def _number(value: object, name: str) -> float:
    if isinstance(value, Real) or (isinstance(value, Tensor) and value.numel() == 1):
        return float(value)
    raise QprepError(f"expected {name} to return a number, or numbers by name, found {type(value).__name__}")


def _write(job: QuantizeJob, quantizer: Quantizer, report: QuantizationReport, watch: Watch) -> Iterator[Path]:
    """The requested files, one after another."""
    for path, write in (
        (job.output, quantizer.save),
        (job.report, report.save),
        (job.onnx, quantizer.export_onnx),
    ):
        if path is None:
            continue
        watch(f"writing {path.name}", 0, None)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
        except OSError as error:
            raise QprepError(f"{path} cannot be written: {error.strerror or error}") from error
        yield path


@contextlib.contextmanager
def _blaming(sentence: str) -> Iterator[None]:
    """Make one sentence of what the user's code raises in it."""
    try:
        yield
    except JobError:
        raise
    except LoaderError as error:
        raise JobError(from_exception("run", error.what, error.__cause__ or error)) from error
    except QprepError as error:
        raise JobError(TraceFailure("run", str(error))) from error
    except (Exception, SystemExit) as error:
        raise JobError(from_exception("run", sentence, error)) from error
