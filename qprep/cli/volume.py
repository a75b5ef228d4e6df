"""`-q` and `-v` of commands that have no such flags of their own."""

from __future__ import annotations

import contextlib
import io
import platform
import time

import click

from qprep.foundation.version import __version__


def with_volume(command: click.Command) -> click.Command:
    """Add `--quiet` and `--verbose` to the command, unless it has them; returns the same command."""
    known = {name for each in command.params for name in each.opts}
    for option in (_quiet(), _verbose()):
        if known.isdisjoint(option.opts):
            command.params.append(option)
    return command


def _quiet() -> click.Option:
    text = "Print errors only; the exit code has the result."
    return click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_silence, help=text)


def _verbose() -> click.Option:
    text = "Print the time and the versions to standard error."
    return click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_measure, help=text)


def _silence(context: click.Context, _: click.Parameter, quiet: bool) -> None:
    if quiet:
        context.with_resource(contextlib.redirect_stdout(io.StringIO()))


def _measure(context: click.Context, _: click.Parameter, verbose: bool) -> None:
    if not verbose:
        return
    started = time.monotonic()

    def report() -> None:
        versions = f"qprep {__version__}, Python {platform.python_version()}"
        click.echo(f"qprep {context.info_name}: {time.monotonic() - started:.1f} seconds; {versions}", err=True)

    context.call_on_close(report)
