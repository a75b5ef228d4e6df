"""`qprep server`: a language server over standard input and output."""

from __future__ import annotations

import os
import sys

import click

from qprep.foundation.errors import QprepError


@click.command("server", short_help="Run a language server for editors.")
@click.option("--stdio", is_flag=True, help="Accepted for editors that pass it; has no effect.")
def command(stdio: bool) -> int:  # noqa: ARG001  (the flag changes nothing)
    """Run a language server for editors: findings while you type, quick fixes, fix-all, rules on hover."""
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
