"""`qprep check --watch`: again whenever a file changes."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from qprep.cli.options import resolver
from qprep.cli.reporters.styled_text import plural
from qprep.engine.config.settings_file import CONFIG_NAMES
from qprep.engine.discovery import discover
from qprep.engine.rule_registry import all_rules
from qprep.foundation.errors import QprepError

_PAUSE = 0.3  # seconds between two looks
_CLEAR = "\x1b[2J\x1b[H"

State = dict[str, tuple[int, int]]


def watching(paths: tuple[Path, ...], flags: dict[str, Any], check: Callable[[], int]) -> int:
    """Check now and after each change; ends with Ctrl-C alone."""
    seen: State | None = None
    while True:
        now = state(paths, flags)
        if now == seen:
            time.sleep(_PAUSE)
            continue
        seen = now
        if sys.stdout.isatty():
            click.echo(_CLEAR, nl=False)
        try:
            check()
        except QprepError as error:  # a setting half typed: the next change may mend it
            click.echo(f"error: {error}", err=True)
        sys.stdout.flush()
        if not flags["quiet"]:
            count = plural(sum(name.endswith((".py", ".ipynb")) for name in now), "file")
            click.echo(f"{time.strftime('%H:%M:%S')} watching {count}; Ctrl-C ends it", err=True)


def state(paths: tuple[Path, ...], flags: dict[str, Any]) -> State:
    """Size and time of change of each file that a check of `paths` depends on, as far as it lies there or above."""
    found: State = {}
    roots = paths or (Path(),)
    with contextlib.suppress(QprepError):
        for path in discover(roots, resolver(all_rules(), flags)).files:
            _add(found, path)
    for path in {folder / name for root in roots for folder in _above(root) for name in CONFIG_NAMES}:
        _add(found, path)
    for path in (flags["config"], flags["baseline"]):
        if path is not None:
            _add(found, path)
    return found


def _add(found: State, path: Path) -> None:
    with contextlib.suppress(OSError):
        status = path.stat()
        found[str(path)] = (status.st_size, status.st_mtime_ns)


def _above(root: Path) -> Iterator[Path]:
    full = Path(os.path.abspath(root))
    yield full
    yield from full.parents
