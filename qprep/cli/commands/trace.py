"""`qprep trace`: run a model once and show which operations stand outside of a module."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from qprep.cli.input_options import with_device, with_inputs

if TYPE_CHECKING:
    from qprep.tracing.failure import TraceFailure
    from qprep.tracing.trace_report import TraceReport

_UNFOLDED = 10_000


@click.command("trace", short_help="Run a model and list operations outside of modules.")
@click.argument("target")
@with_inputs
@with_device("run on; meta allocates no weights")
@click.option("--train", is_flag=True, help="Run in training mode.")
@click.option(
    "--trace-timeout", "timeout", type=float, metavar="SECONDS", help="Time limit of the whole command (default: 300)."
)
@click.option(
    "--output-format",
    type=click.Choice(["table", "tree", "json"]),
    default="table",
    show_default=True,
    help="Format of the result.",
)
@click.option("--all", "every", is_flag=True, help="Also list operations that have a module.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even if the model is not prepared.")
def command(target: str, output_format: str, every: bool, exit_zero: bool, **request: Any) -> int:
    """Run TARGET once and list the operations that have no module of their own.

    TARGET is package.module:factory or path/file.py:factory: an nn.Module, a callable that returns one, or a pair
    (model, example_inputs). Exits 1 if the model is not prepared or does not run.
    """
    from qprep.tracing.child_runner import run_target
    from qprep.tracing.failure import TraceFailure
    from qprep.tracing.request import make_request

    answer = run_target(make_request(target, **request))
    if isinstance(answer, TraceFailure):
        _explain(answer)
        return 1
    _show(answer, output_format, every)
    return 0 if answer.is_prepared or exit_zero else 1


def _explain(failure: TraceFailure) -> None:
    click.echo(f"error: {failure}", err=True)
    if failure.output.strip():
        click.echo(f"\nthe last lines of its output:\n{failure.output.rstrip()}", err=True)


def _show(report: TraceReport, output_format: str, every: bool) -> None:
    if output_format == "json":
        click.echo(report.to_json())
        return
    from rich.console import Console

    from qprep.tracing.text_tables import as_table, as_tree

    # lines of a file or a pipe are not folded: programs read them
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _UNFOLDED)
    console.print(as_tree(report) if output_format == "tree" else as_table(report, every))
