"""Files that are written in the format of their ending; another ending is an error before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from qprep.foundation.errors import QprepError


def ends_in(*endings: str) -> Callable[[click.Context, click.Parameter, Path | None], Path | None]:
    """A callback of an option: returns the path if it has one of the endings (in any case), else raises QprepError."""
    *others, last = endings
    wanted = f"{', '.join(others)} or {last}" if others else last

    def check(_: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in endings:
            raise QprepError(f"{option.opts[0]}: expected a file that ends in {wanted}, found `{path}`")
        return path

    return check
