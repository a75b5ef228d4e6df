"""GitLab's Code Quality report."""

from __future__ import annotations

import json
from typing import Any

from qprep.cli.reporters.fingerprint import fingerprints
from qprep.cli.reporters.report_data import Report
from qprep.cli.reporters.repository_path import repository_path
from qprep.foundation.findings import Finding, Severity

SHOWS_EDITS = False
IS_HUMAN = False

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "info"}


def render(report: Report) -> str:
    """One array; fingerprints are unique, as GitLab drops repeated ones."""
    prints = fingerprints(report.findings, report.sources)
    records = [_record(finding, mark) for finding, mark in zip(report.findings, prints, strict=True)]
    return json.dumps(records, indent=2) + "\n"


def _record(finding: Finding, fingerprint: str) -> dict[str, Any]:
    positions = {
        "begin": {"line": finding.start.line, "column": finding.start.column},
        "end": {"line": finding.end.line, "column": finding.end.column},
    }
    return {
        "description": f"{finding.code}: {finding.message}",
        "check_name": finding.code,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": repository_path(finding.path).as_posix(), "positions": positions},
    }
