"""`--statistics`: how often each rule was found."""

from __future__ import annotations

import json
from collections import Counter

from qprep.cli.reporters.report_data import Report
from qprep.cli.reporters.styled_text import CODE, FIXABLE, Line, outcome, paint
from qprep.engine.config.output_formats import OutputFormat
from qprep.foundation.errors import QprepError


def render_statistics(chosen: OutputFormat, report: Report) -> str:
    """A table for people, or JSON; raises QprepError for the other formats."""
    if chosen.name in ("json", "json-lines"):
        return _as_json(chosen.name, report)
    if not chosen.is_human:
        raise QprepError(f"--statistics: expected a text format or JSON, found `{chosen.name}`")
    counts = _counts(report)
    wide = max((len(str(count)) for _, count, _ in counts), default=1)
    lines: list[Line] = [
        [
            (f"{count:>{wide}}  ", ""),
            (code, CODE),
            ("  [*] " if fixable else "  [ ] ", FIXABLE),
            (report.rules[code].name, ""),
        ]
        for code, count, fixable in counts
    ]
    if report.footer:
        lines.append([(outcome(report), "bold")])
    return paint(lines, color=report.color)


def _counts(report: Report) -> list[tuple[str, int, bool]]:
    """Code, number and whether any of them has a fix; most frequent first."""
    counts = Counter(finding.code for finding in report.findings)
    fixable = {finding.code for finding in report.findings if finding.is_fixable}
    return [(code, counts[code], code in fixable) for code in sorted(counts, key=lambda code: (-counts[code], code))]


def _as_json(name: str, report: Report) -> str:
    records = [
        {"code": code, "name": report.rules[code].name, "count": count, "fixable": fixable}
        for code, count, fixable in _counts(report)
    ]
    if name == "json":
        return json.dumps(records, indent=2) + "\n"
    return "".join(json.dumps(record) + "\n" for record in records)
