"""`qprep server`: a language server over standard input and output."""

from __future__ import annotations

import click

from qprep.foundation.errors import QprepError


@click.command("server", short_help="Serve an editor over standard input and output.")
@click.option("--stdio", is_flag=True, help="Accepted for editors that pass it; there is no other way.")
def command(stdio: bool) -> int:  # noqa: ARG001  (the flag changes nothing)
    """Serve an editor (language server protocol): findings as one types, quick fixes, fix-all, rules on hover."""
    try:
        from qprep.cli.lsp.language_server import make_server
    except ModuleNotFoundError as error:
        raise QprepError(f'`{error.name}` is not installed: pip install "qprep[lsp]"') from error
    make_server().start_io()
    return 0
