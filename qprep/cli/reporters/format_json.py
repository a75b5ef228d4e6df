"""JSON: an array of findings in the shape that readers of ruff's output know."""

from __future__ import annotations

import json
from typing import Any

from qprep.cli.reporters.report_data import Report
from qprep.foundation.findings import Edit, Finding, Fix, Position, Rejection
from qprep.foundation.notebook import split_shown
from qprep.foundation.source_cache import Sources

SHOWS_EDITS = True
IS_HUMAN = False


def render(report: Report) -> str:
    """One array, indented."""
    return json.dumps([record(finding, report.sources) for finding in report.findings], indent=2) + "\n"


def record(finding: Finding, sources: Sources) -> dict[str, Any]:
    """One finding; a fix is listed whether safe or not, `unfixable_reason` says why there is none."""
    filename, cell = split_shown(finding.path)
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.value,
        "message": finding.message,
        "help": finding.help or None,
        "notes": list(finding.notes),
        "filename": filename,
        "cell": cell,
        "location": place(finding.start),
        "end_location": place(finding.end),
        "fix": _fix(finding.fix, sources) if isinstance(finding.fix, Fix) else None,
        "unfixable_reason": finding.fix.reason if isinstance(finding.fix, Rejection) else None,
        "unfixable_code": finding.fix.code.value if isinstance(finding.fix, Rejection) else None,
        "url": None,
        "suppression_row": finding.statement[1],
    }


def place(position: Position) -> dict[str, int]:
    """A 1-based row and column."""
    return {"row": position.line, "column": position.column}


def _fix(fix: Fix, sources: Sources) -> dict[str, Any]:
    edits = [_edit(edit, sources) for edit in sorted(fix.edits)]
    return {"applicability": fix.applicability.value, "message": fix.message, "edits": edits}


def _edit(edit: Edit, sources: Sources) -> dict[str, Any]:
    source = sources.get(edit.path)
    start = place(source.position(edit.start)) if source else None
    end = place(source.position(edit.end)) if source else None
    filename, cell = split_shown(edit.path)
    return {"filename": filename, "cell": cell, "content": edit.content, "location": start, "end_location": end}
