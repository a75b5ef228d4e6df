"""`qprep check`: find."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import click

from qprep.cli.baseline_option import read_known, without_known, write_known
from qprep.cli.file_endings import ends_in
from qprep.cli.options import BASELINE, CONFIGURATION, EFFORT, FILES, OUTPUT, PATHS, SELECTION, TRACE, with_options
from qprep.cli.reporters import html_page
from qprep.cli.reporters.styled_text import plural
from qprep.cli.run_models import observer, tell_outside
from qprep.cli.session import Session, has_failed, load_engine, open_session
from qprep.cli.watch import watching
from qprep.engine.add_ignore import add_ignores, can_suppress
from qprep.foundation.atomic_write import save
from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.errors import QprepError
from qprep.foundation.file_transaction.replace_files import Replacement, replace_files
from qprep.foundation.findings import Finding
from qprep.foundation.source import SourceFile, display_path

_ADD_IGNORE = click.option(
    "--add-ignore",
    metavar="[=REASON]",
    default=None,
    help="Add a suppression comment for each finding instead of reporting it.",
)

_WRITE_BASELINE = click.option(
    "--write-baseline",
    is_flag=True,
    help="Write all findings to the baseline (default: qprep-baseline.json) instead of reporting them.",
)

_REPORT = click.option(
    "--report",
    metavar="REPORT.HTML",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=ends_in(".html", ".htm"),
    help="Also write a page with files, classes, diffs and reasons.",
)
_WATCH = click.option("--watch", is_flag=True, help="Check again whenever a file changes, until Ctrl-C.")


class _Command(click.Command):
    """`--add-ignore` takes its reason after `=` alone, so that a path after it stays a path."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--add-ignore=" if arg == "--add-ignore" else arg for arg in args])


@click.command("check", cls=_Command, short_help="Find code that prevents quantization.")
@with_options(
    *(*PATHS, *TRACE, *SELECTION, *FILES, *CONFIGURATION, *OUTPUT, *BASELINE, _WRITE_BASELINE, _ADD_IGNORE, _REPORT),
    *(*EFFORT, _WATCH),
)
def command(paths: tuple[Path, ...], watch: bool, **flags: Any) -> int:
    """Find code in PATHS (default: the current folder) that prevents quantization module by module.

    Reads source only: needs no torch, and imports and runs none of your code. Only --trace runs a model.
    """
    if not watch:
        return _check(paths, flags)
    if flags["write_baseline"] or flags["add_ignore"] is not None or Path("-") in paths:
        raise QprepError("--watch: expected files to report on, found --write-baseline, --add-ignore or `-`")
    return watching(paths, flags, lambda: _check(paths, flags))


def _check(paths: tuple[Path, ...], flags: dict[str, Any]) -> int:
    session = open_session(paths, flags)
    known = None if flags["write_baseline"] else read_known(session)
    engine, files, overlay = load_engine(), session.found.files, session.overlay or None
    observe = observer(session)
    with session.effort() as effort:
        result = run_with_large_stack(
            lambda: engine.check(
                files, session.resolver, overlay=overlay, observe=observe, effort=effort, beside=session.beside()
            )
        )
    failed = observe.findings if observe is not None else ()
    findings = session.merged((*result.findings, *failed))
    if flags["write_baseline"]:
        return 1 if write_known(session, findings, session.sources()) and not flags["exit_zero"] else 0
    weighed = without_known(session, findings, session.sources(), known)
    findings = weighed.new
    if flags["add_ignore"] is not None:
        return _add_ignores(session, findings, flags["add_ignore"])
    shown = session.with_unknown(findings, result.unknown_sites)
    report = session.report(shown, unknown=result.unknown, known=weighed.known)
    session.print(report)
    if flags["report"] is not None:
        save(
            flags["report"], html_page.render(report, _source(session)).encode("utf-8", "backslashreplace"), "--report"
        )
        session.note(f"wrote {flags['report']}")
    tell_outside(session, observe)
    if has_failed(findings):
        return 2
    return 1 if any(f.stands_in_the_way for f in findings) and not flags["exit_zero"] else 0


def _source(session: Session) -> str:
    """The file of the settings, for the page."""
    source = session.settings.source
    return "default settings" if source is None else f"settings from {display_path(source)}"


def _add_ignores(session: Session, findings: tuple[Finding, ...], reason: str) -> int:
    if session.overlay:
        raise QprepError("--add-ignore: expected files, found standard input")
    if "\n" in reason or "\r" in reason:
        raise QprepError("--add-ignore: expected a reason of one line, found several")
    wanted = [finding for finding in findings if can_suppress(finding)]
    files = {path: list(group) for path, group in itertools.groupby(wanted, key=lambda finding: finding.path)}
    sources = {path: SourceFile.read(path) for path in files}
    replace_files(
        [
            Replacement(path, source.encode(add_ignores(source, files[path], reason)), source.data)
            for path, source in sources.items()
        ]
    )
    click.echo(f"Suppressed {plural(len(wanted), 'finding')} in {plural(len(files), 'file')}.", err=True)
    return 0
