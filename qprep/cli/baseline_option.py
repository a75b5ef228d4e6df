"""The baseline as `check` and `fix` use it: which file, what it takes out, and writing it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import click

from qprep.cli.reporters.styled_text import plural
from qprep.cli.session import Session
from qprep.engine.baseline import (
    DEFAULT_NAME,
    Baseline,
    BaselineEntry,
    Weighed,
    entries_of,
    read_baseline,
    relative,
    weigh,
    write_baseline,
)
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Finding
from qprep.foundation.source import display_path
from qprep.foundation.source_cache import Sources


def read_known(session: Session) -> Baseline | None:
    """The run's baseline, read before anything else; None without one. QprepError if the file is not a baseline."""
    path = _path(session)
    return Baseline(read_baseline(path), _folder(path)) if path is not None else None


def without_known(
    session: Session, findings: tuple[Finding, ...], sources: Sources, known: Baseline | None, *, fixed: bool = False
) -> Weighed:
    """The findings that no baseline holds; says on standard error how many entries nothing matches any more."""
    path = _path(session)
    if path is None or known is None:
        return Weighed(findings, 0, Counter())
    looked_at = [display_path(file) for file in session.found.files]
    result = weigh(findings, sources, known.entries, known.folder, looked_at)
    stale = result.stale.total()
    if stale and not fixed and not session.flags["quiet"]:
        count = f"{plural(stale, 'finding')} of `{display_path(path)}`"
        click.echo(f"note: {count} no longer found; --write-baseline removes them", err=True)
    return result


def write_known(session: Session, findings: tuple[Finding, ...], sources: Sources) -> int:
    """Write what was found as the baseline; entries of other files that still exist stay. Returns how many are left."""
    if session.overlay:
        raise QprepError("--write-baseline: expected files, found standard input")
    path = _path(session) or Path(DEFAULT_NAME)
    folder = _folder(path)
    pairs = entries_of(findings, sources, folder)
    entries = Counter(entry for _, entry in pairs if entry is not None)
    here = {relative(display_path(file), folder) for file in session.found.files}
    old = read_baseline(path) if path.exists() else Counter[BaselineEntry]()
    others = {entry: n for entry, n in old.items() if entry.path not in here and (folder / entry.path).exists()}
    write_baseline(path, Counter({**entries, **others}))
    files = len({entry.path for entry in entries})
    held = f"{plural(entries.total(), 'finding')} of {plural(files, 'file')}"
    click.echo(f"Wrote {held} to {display_path(path)}.", err=True)
    return sum(entry is None for _, entry in pairs)


def _path(session: Session) -> Path | None:
    if session.flags["no_baseline"] and session.flags["baseline"] is not None:
        raise QprepError("--no-baseline: expected no --baseline")
    chosen: Path | None = session.flags["baseline"]
    return chosen or (None if session.flags["no_baseline"] else session.settings.baseline)


def _folder(path: Path) -> Path:
    return Path(os.path.abspath(path)).parent
