"""Shared parts of `check` and `fix`: files, settings, output."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from qprep.cli.options import resolver
from qprep.cli.reporters import OutputFormat, Report, Sources, output_format, render
from qprep.cli.reporters.rule_counts import render_statistics
from qprep.cli.status_line import StatusLine
from qprep.engine.config.settings import Settings, SettingsResolver
from qprep.engine.discovery import Discovery, discover
from qprep.engine.engine_calls import Engine
from qprep.engine.execution import Effort
from qprep.engine.incremental.cache import DEFAULT_NAME, Cache
from qprep.engine.rule_registry import all_rules
from qprep.engine.surroundings import surroundings
from qprep.foundation.atomic_write import save
from qprep.foundation.errors import QprepError
from qprep.foundation.file_transaction.recover_files import recover
from qprep.foundation.findings import Finding, Rule
from qprep.foundation.internal_rules import ANALYSIS_FAILED
from qprep.foundation.source import display_path

_STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class Session:
    """One run: its flags, rules and settings, the files found, and bytes that do not come from disk."""

    flags: dict[str, Any]
    rules: tuple[Rule, ...]
    resolver: SettingsResolver
    settings: Settings
    found: Discovery
    overlay: Mapping[str, bytes]

    @property
    def output_format(self) -> OutputFormat:
        """The format to print in."""
        return output_format(self.settings.output_format, self.resolver.registry.formats)

    @contextlib.contextmanager
    def effort(self) -> Iterator[Effort]:
        """The options of the run's work; its progress display ends with the block."""
        flags = self.flags
        cache = None if flags["no_cache"] else Cache(self._cache_dir(), self.resolver)
        progress = StatusLine.of(quiet=flags["quiet"])
        try:
            edits = self.output_format.shows_edits and not flags["statistics"]
            edits = edits or flags.get("report") is not None
            yield Effort(flags["jobs"], cache, progress, edits=edits, unknown=self.settings.show_unknown)
        finally:
            if progress is not None:
                progress.clear()
        if cache is not None:
            cache.tidy()

    def _cache_dir(self) -> Path:
        if self.flags["cache_dir"] is not None:
            return Path(self.flags["cache_dir"])
        beside = self.settings.source.parent if self.settings.source is not None else Path()
        return self.settings.cache_dir or beside / DEFAULT_NAME

    def beside(self) -> tuple[Path, ...]:
        """The project's other files, which tell what happens to the classes in those given.

        A text on standard input has some where `--stdin-filename` says where it belongs.
        """
        if self.overlay and not self.flags["stdin_filename"]:
            return ()
        found = surroundings(self.found.files, self.resolver)
        if found.note is not None and not self.flags["quiet"]:
            click.echo(f"note: {found.note}", err=True)
        return found.paths

    def note(self, message: str) -> None:
        """Say something on standard error under --verbose."""
        if self.flags["verbose"]:
            click.echo(message, err=True)

    def merged(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """All that was found, in order: the engine's findings and discovery's."""
        return _sorted((*findings, *self.found.problems))

    def with_unknown(self, findings: Sequence[Finding], unknown: Sequence[Finding]) -> tuple[Finding, ...]:
        """All that is to be reported, in order: the findings, and the sites of unknown kind if requested."""
        return _sorted((*findings, *(unknown if self.settings.show_unknown else ())))

    def sources(self, overlay: Mapping[str, bytes] | None = None) -> Sources:
        """The texts that findings point into; `overlay` holds new ones that are not on disk."""
        return Sources({**self.overlay, **(overlay or {})})

    def report(
        self,
        findings: tuple[Finding, ...],
        *,
        overlay: Mapping[str, bytes] | None = None,
        fixed: int | None = None,
        unknown: int = 0,
        known: int = 0,
    ) -> Report:
        """The report to print; `overlay` holds new texts that are not on disk."""
        sources = self.sources(overlay)
        return Report(
            findings=tuple(map(sources.in_cell, findings)),
            rules={rule.code: rule for rule in self.rules},
            sources=sources,
            fixed=fixed,
            unknown=0 if self.settings.show_unknown else unknown,
            known=known,
            footer=not self.flags["quiet"],
            color=_use_color(self.flags["color"], self.flags["output_file"]),
            unsafe=self.settings.unsafe_fixes,
        )

    def print(self, report: Report) -> None:
        """Print a report where the flags want it."""
        if self.flags["statistics"]:
            text = render_statistics(self.output_format, report)
        else:
            text = render(self.settings.output_format, report, self.resolver.registry.formats)
        emit(text, self.flags["output_file"])


def open_session(paths: tuple[Path, ...], flags: dict[str, Any]) -> Session:
    """Resolve settings and find files; raises QprepError for invalid arguments."""
    rules = all_rules()
    settings = resolver(rules, flags)
    overlay: dict[str, bytes] = {}
    if _STDIN in paths:
        if len(paths) > 1:
            raise QprepError("expected `-` alone, found other paths as well")
        paths = (Path(flags["stdin_filename"] or "stdin.py"),)
        overlay[display_path(paths[0])] = sys.stdin.buffer.read()
    elif flags["stdin_filename"]:
        raise QprepError("--stdin-filename: expected `-` as the path, found none")
    paths = paths or (Path(),)
    found = discover(paths, settings, given=overlay)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    if not overlay:
        _recover(found.files)
    main = settings.for_folder(_folder(paths[0]))
    session = Session(flags, rules, settings, main, found, overlay)
    session.note(f"{len(found.files)} files; settings from {main.source or 'the defaults'}")
    return session


def _recover(files: Sequence[Path]) -> None:
    """Finish or undo what an earlier run was killed at among these files, before any of them is read."""
    for recovered in recover({Path(os.path.realpath(file)).parent for file in files}):
        names = ", ".join(display_path(path) for path in recovered.files)
        saved = "".join(f"; {display_path(path)} was saved since and is not changed" for path in recovered.saved)
        click.echo(f"note: a fix that was stopped is {recovered.verb}: {names}{saved}", err=True)


def load_engine() -> Engine:
    """The engine, imported here so that help, rules and settings are shown without it."""
    import qprep.engine.runs

    return qprep.engine.runs


def emit(text: str, output_file: Path | None) -> None:
    """Write to a file, or to standard output."""
    if output_file is None:
        click.echo(text, nl=False, color=True)
        return
    save(output_file, text.encode("utf-8", "backslashreplace"), "--output-file")


def has_failed(findings: Sequence[Finding]) -> bool:
    """True if qprep itself failed on a file: the run's other results count, but the exit code is that of an error."""
    return any(finding.code == ANALYSIS_FAILED.code for finding in findings)


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.sort_key))


def _folder(path: Path) -> Path:
    full = Path(os.path.abspath(path))
    return full if full.is_dir() else full.parent


def _use_color(choice: str, output_file: Path | None) -> bool:
    if choice != "auto":
        return choice == "always"
    return output_file is None and not os.environ.get("NO_COLOR") and sys.stdout.isatty()
