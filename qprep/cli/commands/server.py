"""`qprep server`: a language server over standard input and output."""

from __future__ import annotations

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
    make_server().start_io()
    return 0
