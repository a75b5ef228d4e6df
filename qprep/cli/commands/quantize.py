"""`qprep quantize`: quantize a model, say what it costs, and write what results from it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qprep.cli.file_endings import ends_in
from qprep.cli.input_options import with_device, with_inputs
from qprep.cli.progress import bars
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from qprep.quantizer.job import QuantizeJob, QuantizeOutcome

_BITS = click.IntRange(1, 16)
_FILE = click.Path(path_type=Path, dir_okay=False)


def _print_schema(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        _need_torch()
        from qprep.quantizer.config.config_schema import schema_text

        click.echo(schema_text(), nl=False)
        context.exit()


@click.command("quantize", short_help="Quantize a model on calibration data.")
@click.argument("target")
@click.option(
    "--calibrate", metavar="MODULE:LOADER", required=True, help="Calibration batches, or a function that returns them."
)
@click.option(
    "--evaluate", metavar="MODULE:FUNCTION", help="A function of a model that returns a number, or a dict of numbers."
)
@click.option(
    "--loss", metavar="MODULE:FUNCTION", help="A function of (output, batch) for lapq (default: error against float)."
)
@click.option(
    "--method",
    metavar="METHOD",
    help="ptq (default), dynamic, weight-only, gptq, awq, adaround, lapq, or one of a package.",
)
@click.option("--config", metavar="QUANT.YAML", type=_FILE, help="Settings file: method, defaults, overrides.")
@click.option(
    "--bits-activations",
    metavar="BITS",
    type=click.IntRange(1, 16),
    help="Default for all modules; --config overrides it.",
)
@click.option(
    "--bits-weights", metavar="BITS", type=click.IntRange(1, 16), help="Default for all modules; --config overrides it."
)
@click.option("--backend", metavar="NAME", help="Number formats for x86, qnnpack, onnxruntime, tensorrt or executorch.")
@click.option("--target", "hardware", metavar="NAME", help="Run the passes registered for this hardware.")
@click.option("--pass", "passes", metavar="MODULE:FUNCTION", multiple=True, help="A custom pass over the graph.")
@click.option("--output", metavar="MODEL.PT", type=_FILE, help="Write the quantized model to this file.")
@click.option("--onnx", metavar="MODEL.ONNX", type=_FILE, help="Write the model for ONNX Runtime to this file.")
@click.option(
    "--report", metavar="REPORT.HTML", type=_FILE, callback=ends_in(".html", ".htm", ".json", ".txt", ".svg"),
    help="Write a report to this file: .html, .json, .txt, or .svg for the graph alone.",
)  # fmt: skip
@click.option(
    "--sensitivity/--no-sensitivity", default=None, help="Measure the loss of each layer alone (default with --report)."
)
@click.option("--batches", metavar="NUMBER", type=click.IntRange(1), help="Number of batches to use (default: all).")
@with_inputs
@with_device("run on")
@click.option(
    "--prepare", is_flag=True, help="Rewrite the model's source files for this run only, and compare the results."
)
@click.option("--allow-unprepared", is_flag=True, help="Keep operations without a module in float.")
@click.option("-q", "--quiet", is_flag=True, help="Print the results without the table.")
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
    help="Print the JSON Schema of quant.yaml and exit.",
)  # fmt: skip
def command(quiet: bool, prepare: bool, **flags: Any) -> int:
    """Quantize the model TARGET on calibration data, and report the loss of each layer.

    TARGET is package.module:factory or path/file.py:factory: an nn.Module, a callable that returns one, or a pair
    (model, example_inputs). Without inputs, the model is traced on the first batch. With --prepare no file of the
    model's package changes: the rewritten files are kept in .qprep_cache. Exits 1 if the model, its data or its
    functions fail.
    """
    _need_torch()
    from qprep.engine.preparing.original_run import OriginalError
    from qprep.quantizer.job import JobError, run

    job = _job(**flags)
    try:
        if prepare:
            _prepare(job, quiet)
        # what the user's code prints is no result
        with bars(not quiet) as watch, contextlib.redirect_stdout(sys.stderr):
            outcome = run(job, watch)
    except (JobError, OriginalError) as error:
        click.echo(f"error: {error}", err=True)
        return 1
    click.echo("\n".join(_lines(outcome, quiet)))
    return 0


def _prepare(job: QuantizeJob, quiet: bool) -> None:
    """Build the model prepared; what its code prints goes to standard error."""
    from qprep.engine.preparing.prepare_target import prepare_target

    with contextlib.redirect_stdout(sys.stderr):
        report = prepare_target(job.request, calibrate=job.calibrate)
    if not quiet or not report.is_prepared:
        click.echo(str(report))


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise QprepError("`qprep quantize` runs the model and needs torch: pip install 'qprep[torch]'")


def _job(  # noqa: PLR0917  (one for each flag)
    target: str,
    calibrate: str,
    evaluate: str | None,
    method: str | None,
    config: Path | None,
    bits_activations: int | None,
    bits_weights: int | None,
    inputs: tuple[str, ...],
    maker: str | None,
    device: str,
    sensitivity: bool | None,
    backend: str | None,
    hardware: str | None,
    passes: tuple[str, ...],
    **rest: Any,
) -> QuantizeJob:
    from qprep.quantizer.config.backend_presets import preset
    from qprep.quantizer.config.job_config import check_method, load_config
    from qprep.quantizer.job import QuantizeJob
    from qprep.tracing.request import make_request, split_target

    preset(backend)
    for name in (calibrate, evaluate, rest["loss"], *passes):
        if name is not None:
            split_target(name)
    if method is not None:
        check_method(method, "--method")
    bits = {
        "bits_activations": bits_activations,
        "bits_weights": bits_weights,
        "backend": backend,
        "target": hardware,
    }
    return QuantizeJob(
        make_request(target, inputs, maker=maker, device=device),
        calibrate,
        evaluate,
        rest.pop("loss"),
        method,
        None if config is None else load_config(config),
        {name: value for name, value in bits.items() if value is not None},
        passes=passes,
        sensitivity=rest["report"] is not None if sensitivity is None else sensitivity,
        **rest,
    )


def _lines(outcome: QuantizeOutcome, quiet: bool) -> Iterator[str]:
    from qprep.quantizer.report.report_text import summary

    yield summary(outcome.report) if quiet else str(outcome.report)
    if outcome.scores:
        wide = max(len(name) for name, _, _ in outcome.scores)
        yield f"{'':{wide}}  {'float':>12}  {'quantized':>12}"
        for name, before, after in outcome.scores:
            yield f"{name:{wide}}  {before:>12.6g}  {after:>12.6g}"
    for path in outcome.written:
        yield f"wrote {path}"
