"""The command line: parse, call, render, exit code. One file a verb, loaded when it is needed."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from qprep.cli.volume import with_volume
from qprep.foundation.errors import QprepError
from qprep.foundation.version import __version__

_VERBS = ("check", "fix", "trace", "quantize", "compress", "summary", "vendor", "rule", "config", "server")
_WITH_PROTOCOL = ("server",)  # its standard output is a protocol
_INTERRUPTED = 130
_WRONG = 2


class _Group(click.Group):
    """Loads a verb's module on first use, so that `--version` loads none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"qprep.cli.commands.{cmd_name}")
        command = module.command
        if not isinstance(command, click.Command):
            return None
        return command if cmd_name in _WITH_PROTOCOL else with_volume(command)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qprep", message="%(prog)s %(version)s")
def _group() -> None:
    """Find and rewrite code that prevents a PyTorch model from being quantized module by module."""


def main_command() -> click.Group:
    """Return the command group `qprep`, with every verb as a subcommand."""
    return _group


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 clean, 1 findings, 2 wrong use or a bug, 130 Ctrl-C."""
    _accept_any_text()
    try:
        code = _group.main(list(argv) if argv is not None else None, prog_name="qprep", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        if hint := _what_to_type(error):
            click.echo(hint, err=True)
        return _WRONG
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return _INTERRUPTED
    except QprepError as error:
        click.echo(f"error: {error}", err=True)
        return _WRONG
    except BrokenPipeError:
        # Whoever read the output has enough; without this the interpreter complains while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  (the one place where a bug ends)
        return _report_bug(error)


def _what_to_type(error: click.ClickException) -> str:
    """The form and the help of an option that is missing; "" for other errors."""
    if not isinstance(error, click.MissingParameter) or not isinstance(error.param, click.Option):
        return ""
    return f"Add `{error.param.opts[0]} {error.param.metavar or 'VALUE'}`: {error.param.help}"


def _report_bug(error: Exception) -> int:
    if os.environ.get("QPREP_TRACEBACK"):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    text = " ".join(f"{type(error).__name__}: {error}".split())
    click.echo(f"error: a bug in qprep: {text} ({place}); QPREP_TRACEBACK=1 shows the traceback", err=True)
    return _WRONG


def _accept_any_text() -> None:
    """Paths and sources may hold characters that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
