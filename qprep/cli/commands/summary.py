"""`qprep summary`: tables of a model's sparsity, of what its layers compute, and of its modules."""

from __future__ import annotations

import contextlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from qprep.cli.file_endings import ends_in
from qprep.cli.input_options import with_device, with_inputs
from qprep.foundation.errors import QprepError


@click.command("summary", short_help="Print a model's sparsity, compute and modules.")
@click.argument("target")
@with_inputs
@click.option("--what", metavar="TABLES", help="Tables, separated by commas: sparsity, compute, model (default: all).")
@with_device("run on")
@click.option(
    "--output-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the tables.",
)
@click.option(
    "--output",
    metavar="SUMMARY.HTML",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=ends_in(".html", ".json", ".txt"),
    help="Also write the tables to this file: .html, .json or .txt.",
)
def command(target: str, what: str | None, output_format: str, output: Path | None, **request: Any) -> int:
    """Print tables of the model TARGET: sparsity of weights, compute of layers, parameters of modules.

    TARGET is package.module:factory or path/file.py:factory: an nn.Module, a callable that returns one, or a pair
    (model, example_inputs). The compute table needs inputs. Exits 1 if the model fails.
    """
    if find_spec("torch") is None:
        raise QprepError("`qprep summary` runs the model and needs torch: pip install 'qprep[torch]'")
    from qprep.compression.summary_job import save, summarize
    from qprep.quantizer.job import JobError
    from qprep.tracing.request import make_request

    try:
        with contextlib.redirect_stdout(sys.stderr):  # what the user's code prints is no result
            found = summarize(make_request(target, **request), what)
    except JobError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    click.echo(found.to_json() if output_format == "json" else str(found), nl=output_format != "json")
    if output is not None:
        save(found, output)
    return 0
