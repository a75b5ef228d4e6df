"""`qprep fix`: rewrite."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from qprep.cli.baseline_option import read_known, without_known
from qprep.cli.options import (
    BASELINE,
    CONFIGURATION,
    EFFORT,
    FILES,
    OUTPUT,
    PATHS,
    SELECTION,
    TRACE,
    VERIFY,
    with_options,
)
from qprep.cli.reporters.styled_text import one_line, place, plural
from qprep.cli.run_models import observer, prover, tell_outside
from qprep.cli.session import Session, emit, has_failed, load_engine, open_session
from qprep.engine.results import FixResult
from qprep.engine.runtime_evidence.equivalence_gate import TargetError
from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.findings import Finding, Rejection
from qprep.foundation.text_edits import unified_diff

_FIX = (
    click.option("--diff", is_flag=True, help="Print the changes as a diff; write nothing."),
    click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with 1 if anything was fixed."),
)


@click.command("fix", short_help="Rewrite models so that every operation has a module.")
@with_options(*PATHS, *_FIX, *TRACE, *VERIFY, *SELECTION, *FILES, *CONFIGURATION, *OUTPUT, *BASELINE, *EFFORT)
def command(paths: tuple[Path, ...], diff: bool, exit_non_zero_on_fix: bool, **flags: Any) -> int:
    """Rewrite the models in PATHS (default: the current folder) so that every operation has a module of its own.

    Outputs, gradients, the keys of state_dict, comments and all other lines stay the same.
    """
    if flags["verify"] and flags["unsafe_fixes"] is None:
        flags["unsafe_fixes"] = True  # the runs decide which of them are applied
    session = open_session(paths, flags)
    known = read_known(session)
    engine = load_engine()
    observe, prove = observer(session), prover(session)
    files, overlay, write = session.found.files, session.overlay or None, not diff and not session.overlay
    try:
        with session.effort() as effort:
            result = run_with_large_stack(
                lambda: engine.fix(
                    files,
                    session.resolver,
                    write=write,
                    overlay=overlay,
                    observe=observe,
                    prove=prove,
                    effort=effort,
                    baseline=known,
                    beside=session.beside(),
                )
            )
    except TargetError as error:
        session.print(session.report((error.finding,), fixed=0))
        click.echo("error: nothing was written: the rewrite cannot be verified", err=True)
        return 1
    texts = {file.path: file.old.encode(file.new_text) for file in result.changed}
    left = session.merged((*result.remaining, *(observe.findings if observe is not None else ())))
    weighed = without_known(session, left, session.sources(texts), known, fixed=True)
    left = weighed.new
    if diff:
        _print_diff(session, result, len(left))
    else:
        _print_outcome(session, result, left, texts, weighed.known)
    tell_outside(session, observe)
    if prove is not None and prove.results and not flags["quiet"]:
        click.echo(prove.summary, err=diff or not session.output_format.is_human)
    for line in _taken_back(result.reverted):
        click.echo(f"error: {line}", err=True)
    if result.reverted or has_failed(result.remaining):
        return 2
    touched = bool(result.changed) and (diff or exit_non_zero_on_fix)
    failed = touched or any(f.stands_in_the_way for f in left)
    return 1 if failed and not (flags["exit_zero"] and not exit_non_zero_on_fix) else 0


def _print_diff(session: Session, result: FixResult, left: int) -> None:
    text = "".join(unified_diff(file.path, file.old.text, file.new_text) for file in result.changed)
    emit(text, session.flags["output_file"])
    if session.flags["quiet"]:
        return
    fixed, files = plural(len(result.fixed), "finding"), plural(len(result.changed), "file")
    rest = f"; {left} would remain, `qprep check` says why" if left else ""
    click.echo(f"Would fix {fixed} in {files}{rest}.", err=True)


def _print_outcome(
    session: Session, result: FixResult, left: tuple[Finding, ...], texts: Mapping[str, bytes], known: int
) -> None:
    """The findings left; for standard input the new source goes there instead, and they to standard error."""
    sources = session.sources()
    for finding in result.fixed:
        session.note(f"fixed {place(sources.in_cell(finding))}: {finding.code} {one_line(finding.message)}")
    report = session.report(left, overlay=texts, fixed=len(result.fixed), known=known)
    if not session.overlay:
        session.print(report)
        return
    for path, data in session.overlay.items():
        sys.stdout.buffer.write(texts.get(path, data))
    sys.stdout.buffer.flush()
    if session.output_format.is_human and not session.flags["quiet"]:
        for finding in report.findings:
            click.echo(f"{place(finding)}: {finding.code} {one_line(finding.message)}", err=True)


def _taken_back(findings: Sequence[Finding]) -> Iterator[str]:
    """One line for each file and rule, at the first of its findings."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        first.setdefault((finding.path, finding.code), finding)
    for finding in first.values():
        reason = one_line(finding.fix.reason) if isinstance(finding.fix, Rejection) else "its rewrite failed a check"
        yield f"{place(finding)}: {finding.code} ({finding.name}) was not fixed; the file is unchanged: {reason}"
