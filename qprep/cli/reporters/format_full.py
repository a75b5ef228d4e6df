"""The default format: each finding with its frame of source, its remedy as a diff, and why it is left."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.cli.reporters.fix_diff import fix_diff
from qprep.cli.reporters.report_data import Report
from qprep.cli.reporters.source_frame import code_frame
from qprep.cli.reporters.styled_text import HELP, NOTE, Line, headline, one_line, paint, summary, why_left
from qprep.foundation.findings import Applicability, Finding, Fix

SHOWS_EDITS = True
IS_HUMAN = True


def render(report: Report) -> str:
    """Findings in order, a blank line after each, and the summary."""
    return paint(_lines(report), color=report.color)


def _lines(report: Report) -> Iterator[Line]:
    for finding in report.findings:
        yield headline(finding, report)
        yield from code_frame(finding, report.sources.get(finding.path))
        yield from _remedy(finding, report)
        yield []
    yield from summary(report)


def _remedy(finding: Finding, report: Report) -> Iterator[Line]:
    fix = finding.fix
    text = fix.message if isinstance(fix, Fix) and not finding.help else finding.help
    if text:
        yield [("help", HELP), (f": {one_line(text)}", "")]
    if isinstance(fix, Fix):
        yield from fix_diff(fix, finding.path, report.sources)
    for note in _notes(finding, report):
        yield [("note", NOTE), (f": {one_line(note)}", "")]


def _notes(finding: Finding, report: Report) -> Iterator[str]:
    yield from finding.notes
    if isinstance(finding.fix, Fix) and finding.fix.applicability is Applicability.UNSAFE:
        yield "this fix is unsafe: look at what it changes before you apply it with --unsafe-fixes"
    elif reason := why_left(finding, report):
        yield f"not fixed: {reason}"
