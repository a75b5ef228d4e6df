"""`qprep server`: a language server over standard input and output."""

from __future__ import annotations

import logging
import os
import sys

import click

from qprep.foundation.errors import QprepError


@click.command("server", short_help="Run a language server for editors.")
@click.option("--stdio", is_flag=True, help="Accepted for editors that pass it; has no effect.")
@click.option("-q", "--quiet", is_flag=True, help="Log errors only to standard error.")
@click.option("-v", "--verbose", is_flag=True, help="Also log starts, stops and messages to standard error.")
def command(stdio: bool, quiet: bool, verbose: bool) -> int:  # noqa: ARG001  (--stdio changes nothing)
    """Run a language server for editors: findings while you type, quick fixes, fix-all, rules on hover."""
    _log(logging.ERROR if quiet else logging.DEBUG if verbose else logging.WARNING)
    try:
        from qprep.cli.lsp.language_server import make_server
    except ModuleNotFoundError as error:
        raise QprepError(f'`{error.name}` is not installed: pip install "qprep[lsp]"') from error
    server = make_server()
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")  # the server closes it; nothing else may write to it
    sys.stdout = sys.stderr
    server.start_io(stdout=replies)
    sys.stderr.flush()
    os._exit(0 if server.is_shut_down else 1)  # a look may still run in its thread, and nobody waits for it


def _log(level: int) -> None:
    """Write records of at least this level to standard error; standard output is the protocol."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s")
