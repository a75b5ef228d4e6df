"""`qprep vendor`: the files of a package's model, rewritten, in a folder of your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qprep.cli.input_options import with_inputs

if TYPE_CHECKING:
    from qprep.engine.preparing.vendoring import Check


@click.command("vendor", short_help="Copy a package's model, rewritten, into a folder.")
@click.argument("target")
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder of the new package.",
)
@click.option("--overwrite", is_flag=True, help="Replace a folder that `qprep vendor` wrote.")
@with_inputs
@click.option("--no-import", is_flag=True, help="Skip the test import of the written package.")
@click.option("-q", "--quiet", is_flag=True, help="Print warnings and errors only.")
def command(
    target: str,
    folder: Path,
    inputs: tuple[str, ...],
    maker: str | None,
    **flags: bool,
) -> int:
    """Write the files that TARGET (package.module:function or class) needs to FOLDER, rewritten.

    Only those files are written, with imports adjusted, a header with their origin, and the licence files of their
    distribution; the installed package does not change. With --input or --inputs, the model that TARGET builds and the
    written one are compared first: their state, outputs and gradients must be equal.
    """
    from qprep.engine.preparing.vendor_checks import check_import, check_model
    from qprep.engine.preparing.vendoring import summary, vendor
    from qprep.tracing.request import make_request, split_target

    module, name = split_target(target)
    check: Check | None = None
    if inputs or maker:
        check = check_model(make_request(target, inputs, maker=maker), name)
    elif not flags["no_import"]:
        check = check_import(name)
    vendored = vendor(module, name, folder, overwrite=flags["overwrite"], check=check)
    for line in summary(vendored):
        is_warning = line.startswith("warning")
        if is_warning or not flags["quiet"]:
            click.echo(line, err=is_warning)
    return 0
