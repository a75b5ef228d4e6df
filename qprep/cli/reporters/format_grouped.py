"""Findings below the name of their file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from qprep.cli.reporters.report_data import Report
from qprep.cli.reporters.styled_text import PATH, Line, headline, one_line, paint, summary, why_left

SHOWS_EDITS = False
IS_HUMAN = True


def render(report: Report) -> str:
    """Files in order, their findings below them, and the summary."""
    return paint(_lines(report), color=report.color)


def _lines(report: Report) -> Iterator[Line]:
    for path, group in itertools.groupby(report.findings, key=lambda finding: finding.path):
        findings = list(group)
        places = [f"{finding.start.line}:{finding.start.column}" for finding in findings]
        wide = max(len(place) for place in places)
        yield [(one_line(path), PATH), (":", "")]
        for place, finding in zip(places, findings, strict=True):
            yield [(f"  {place:<{wide}} ", ""), *headline(finding, report)]
            reason = why_left(finding, report)
            if reason and report.fixed is not None:
                yield [(f"  {' ' * wide} not fixed: {reason}", "")]
        yield []
    yield from summary(report)
