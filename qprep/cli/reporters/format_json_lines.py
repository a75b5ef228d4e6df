"""JSON lines: one finding a line, as in the JSON array."""

from __future__ import annotations

import json

from qprep.cli.reporters.format_json import record
from qprep.cli.reporters.report_data import Report

SHOWS_EDITS = True
IS_HUMAN = False


def render(report: Report) -> str:
    """One object a line; nothing for no findings."""
    return "".join(json.dumps(record(finding, report.sources)) + "\n" for finding in report.findings)
