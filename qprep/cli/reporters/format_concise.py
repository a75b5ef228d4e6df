"""One line a finding: `path:line:col: CODE [*] message`."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.cli.reporters.report_data import Report
from qprep.cli.reporters.styled_text import PATH, Line, headline, paint, place, summary, why_left

SHOWS_EDITS = False
IS_HUMAN = True


def render(report: Report) -> str:
    """Findings in order and the summary."""
    return paint(_lines(report), color=report.color)


def _lines(report: Report) -> Iterator[Line]:
    for finding in report.findings:
        reason = why_left(finding, report)
        # After a fix run, what is left says why.
        left = [(f" (not fixed: {reason})", "")] if reason and report.fixed is not None else []
        yield [(place(finding), PATH), (": ", ""), *headline(finding, report), *left]
    yield from summary(report)
