"""`qprep compress`: train a model by a schedule, or measure which weights it can do without."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qprep.cli.file_endings import ends_in
from qprep.cli.input_options import with_device, with_inputs
from qprep.cli.progress import bars
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from qprep.compression.job import TrainJob
    from qprep.compression.rehearsal import Rehearsal
    from qprep.compression.scheduler import Scheduler
    from qprep.tracing.request import Request

_FILE = click.Path(path_type=Path, dir_okay=False)
_CHECKPOINTS = (".pt", ".pth", ".ckpt", ".tar")


def _finite(_: click.Context, option: click.Parameter, number: float) -> float:
    if not math.isfinite(number):
        raise QprepError(f"{option.opts[0]}: expected a finite number, found {number}")
    return number


def _print_schema(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        _need_torch()
        from qprep.compression.schema import schema_text

        click.echo(schema_text(), nl=False)
        context.exit()


@click.command("compress", short_help="Prune, distil and quantize a model while it trains.")
@click.argument("target")
@click.option("--schedule", metavar="SCHEDULE.YAML", type=_FILE, help="The schedule: policies and their epochs.")
@click.option("--check", is_flag=True, help="Check the schedule against the model without training.")
@click.option("--train", metavar="MODULE:LOADER", help="Batches of (inputs, labels), or a function that returns them.")
@click.option(
    "--evaluate", metavar="MODULE:FUNCTION", help="A function of a model that returns a number, or a dict of numbers."
)
@click.option("--loss", metavar="MODULE:FUNCTION", help="A function of (output, batch) (default: cross-entropy).")
@click.option("--teacher", metavar="MODULE:MODEL", help="The teacher model for distillation.")
@click.option("--calibrate", metavar="MODULE:LOADER", help="Batches for pruners that read activations.")
@click.option(
    "--epochs",
    metavar="NUMBER",
    type=click.IntRange(1),
    help="Number of epochs (default: up to the end of the schedule).",
)
@click.option(
    "--optimizer", type=click.Choice(["sgd", "adam", "adamw"]), default="sgd", show_default=True, help="Optimizer."
)
@click.option(
    "--lr", metavar="NUMBER", type=click.FloatRange(0), default=0.1, show_default=True, callback=_finite,
    help="Initial learning rate.",
)  # fmt: skip
@click.option(
    "--momentum", metavar="NUMBER", type=click.FloatRange(0, 1), default=0.9, show_default=True, help="Momentum of sgd."
)
@click.option(
    "--weight-decay", metavar="NUMBER", type=click.FloatRange(0), default=1e-4, show_default=True, callback=_finite,
    help="Weight decay.",
)  # fmt: skip
@click.option("--seed", metavar="NUMBER", type=int, default=0, show_default=True, help="Seed of the random numbers.")
@click.option("--batches", metavar="NUMBER", type=click.IntRange(1), help="Number of batches to use (default: all).")
@click.option(
    "--logs",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for logs: log.jsonl, TensorBoard events, CSV.",
)
@click.option(
    "--output", metavar="FILE", type=_FILE, callback=ends_in(*_CHECKPOINTS, ".csv"),
    help="Write the model and its state; with --sensitivity, a CSV.",
)  # fmt: skip
@click.option(
    "--onnx", metavar="MODEL.ONNX", type=_FILE, callback=ends_in(".onnx"),
    help="Write the quantized model for ONNX Runtime to this file; the schedule has a quantizer.",
)  # fmt: skip
@click.option(
    "--report", metavar="REPORT.HTML", type=_FILE, callback=ends_in(".html", ".htm", ".json", ".txt"),
    help="Write a report to this file: .html, .json or .txt.",
)  # fmt: skip
@click.option(
    "--checkpoint", metavar="LAST.PT", type=_FILE, callback=ends_in(*_CHECKPOINTS),
    help="Write this checkpoint after each epoch.",
)  # fmt: skip
@click.option("--resume", metavar="LAST.PT", type=_FILE, help="Continue from a checkpoint.")
@click.option(
    "--sensitivity",
    type=click.Choice(["element", "filter", "channel"]),
    help="Measure the accuracy with each weight pruned alone.",
)
@click.option(
    "--sensitivity-range",
    nargs=3,
    type=float,
    default=None,
    help="First level, last level, step (default: 0 0.95 0.05).",
)
@with_inputs
@with_device("train on")
@click.option("-q", "--quiet", is_flag=True, help="Print the results only.")
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
    help="Print the JSON Schema of schedule.yaml and exit.",
)  # fmt: skip
def command(**flags: Any) -> int:
    """Train the model TARGET by a schedule of policies.

    TARGET is package.module:factory or path/file.py:factory: an nn.Module, a callable that returns one, or a pair
    (model, example_inputs). Without inputs, those of the first batch are used. Exits 1 if the model, its data or its
    functions fail.
    """
    _need_torch()
    from qprep.quantizer.job import JobError
    from qprep.tracing.request import make_request

    target, inputs = flags.pop("target"), flags.pop("inputs")
    request = make_request(target, inputs, maker=flags.pop("maker"), device=flags.pop("device"))
    try:
        if flags["sensitivity"] is not None:
            return _sensitivity(request, flags)
        return _train(request, flags)
    except JobError as error:
        click.echo(f"error: {error}", err=True)
        return 1


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise QprepError("`qprep compress` trains the model and needs torch: pip install 'qprep[torch]'")


def _sensitivity(request: Request, flags: dict[str, Any]) -> int:
    from qprep.compression.job import measure

    if flags["evaluate"] is None:
        raise QprepError("--sensitivity: expected --evaluate as well, found none")
    with bars(not flags["quiet"]) as watch, contextlib.redirect_stdout(sys.stderr):
        found = measure(request, flags["evaluate"], flags["sensitivity"], _levels(flags["sensitivity_range"]), watch)
    if flags["output"] is not None:
        found.to_csv(flags["output"])
    names = list(found.dense)
    click.echo(f"as it is: {', '.join(f'{name} {value:.6g}' for name, value in found.dense.items())}")
    for row in found.rows:
        click.echo(f"{row.parameter:40} {row.sparsity:6.2%}  {'  '.join(f'{row.scores[name]:.6g}' for name in names)}")
    if flags["output"] is not None:
        click.echo(f"wrote {flags['output']}")
    return 0


def _levels(given: tuple[float, float, float] | None) -> tuple[float, ...] | None:
    if given is None:
        return None
    first, end, step = given
    if not (0 <= first < end <= 1 and step > 0):
        raise QprepError(f"--sensitivity-range: expected 0 <= first < end <= 1 and a step above 0, found {given}")
    return tuple(first + place * step for place in range(int((end - first) / step + 0.999999)))


def _train(request: Request, flags: dict[str, Any]) -> int:
    from qprep.compression.job import check, rehearse, run

    job = _job(request, flags)
    quiet = flags["quiet"]
    if flags["check"]:
        with contextlib.redirect_stdout(sys.stderr):
            scheduler = check(job)
            outlook = _outlook(partial(rehearse, job, scheduler))
        click.echo("\n".join([*_checked(scheduler), outlook]))
        return 0
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if not quiet:
            click.echo(line, err=True)

    with bars(not quiet) as watch, contextlib.redirect_stdout(sys.stderr):
        outcome = run(job, watch, tell)
    click.echo(told[-1] if quiet and told else str(outcome.scheduler.report()))
    for path in outcome.written:
        click.echo(f"wrote {path}")
    return 0


def _job(request: Request, flags: dict[str, Any]) -> TrainJob:
    from dataclasses import fields

    from qprep.compression.job import TrainJob
    from qprep.tracing.request import split_target

    if flags["schedule"] is None:
        raise QprepError("--schedule: expected a schedule file, found none")
    for name in ("train", "evaluate", "loss", "teacher", "calibrate"):
        if flags[name] is not None:
            split_target(flags[name])
    known = {each.name for each in fields(TrainJob)}
    return TrainJob(request, **{name: value for name, value in flags.items() if name in known})


def _outlook(rehearse: Callable[[], Rehearsal]) -> str:
    """One sentence of what the schedule leaves, as far as that is known before the training."""
    try:
        found = rehearse()
    except QprepError as error:
        return f"the final sparsity is unknown without training: {error}"
    sentence = f"with the current weights, {found.weights:.1%} of them stay, and {found.sparsity:.1%} of these are 0"
    if found.macs is None:
        return sentence
    before, after = found.macs
    return f"{sentence}; multiply-accumulates: {after:,} of {before:,}"


def _checked(scheduler: Scheduler) -> Iterator[str]:
    from qprep.compression.report import when_of

    yield f"{len(scheduler.entries)} policies fit {type(scheduler.model).__name__}:"
    for each in scheduler.entries:
        yield f"  {each.policy.name}, {when_of(each.window)}"
    for note in scheduler.notes:
        yield f"note: {note}"
