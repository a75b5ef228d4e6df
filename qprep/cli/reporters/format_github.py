"""GitHub annotations. GitHub shows ten errors and ten warnings a step, so the most severe come first."""

from __future__ import annotations

from qprep.cli.reporters.report_data import Report
from qprep.cli.reporters.repository_path import repository_path
from qprep.cli.reporters.styled_text import one_line, place
from qprep.foundation.findings import Finding, Severity

SHOWS_EDITS = False
IS_HUMAN = False

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def render(report: Report) -> str:
    """One workflow command a finding; its message starts with the place, so that the log alone tells it too."""
    ordered = sorted(report.findings, key=lambda finding: _ORDER[finding.severity])
    return "".join(_annotation(finding) + "\n" for finding in ordered)


def _annotation(finding: Finding) -> str:
    properties = {
        "title": f"qprep ({finding.code})",
        "file": repository_path(finding.path).as_posix(),
        "line": finding.start.line,
        "col": finding.start.column,
        "endLine": finding.end.line,
        "endColumn": finding.end.column,
    }
    fields = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    message = f"{place(finding)}: {finding.code} {one_line(finding.message)}"
    return f"::{_COMMANDS[finding.severity]} {fields}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
