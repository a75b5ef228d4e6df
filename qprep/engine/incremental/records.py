"""Findings as plain data for a file of JSON, and back."""

from __future__ import annotations

from typing import Any

from qprep.foundation.findings import Applicability, Edit, Finding, Fix, Position, Rejection, RejectionCode, Severity

Json = Any  # what a file of JSON holds; whoever reads it checks it


def to_record(finding: Finding) -> list[Any]:
    """The values of a finding, in their order."""
    f = finding
    places = [f.start.line, f.start.column, f.end.line, f.end.column, *f.statement]
    return [f.code, f.name, f.message, f.help, f.path, places, f.severity.value, _fix_record(f.fix), list(f.notes)]


def from_record(record: Json) -> Finding:
    """The finding; raises ValueError, TypeError, KeyError or IndexError for other data."""
    code, name, message, hint, path, places, severity, fix, notes = record
    line, column, end_line, end_column, first, last = map(int, places)
    return Finding(
        str(code),
        str(name),
        str(message),
        str(hint),
        str(path),
        Position(line, column),
        Position(end_line, end_column),
        (first, last),
        Severity(severity),
        _fix_of(fix),
        tuple(map(str, notes)),
    )


def _fix_record(fix: Fix | Rejection | None) -> Json:
    if isinstance(fix, Fix):
        edits = [[edit.path, edit.start, edit.end, edit.content] for edit in fix.edits]
        return [fix.applicability.value, fix.message, edits]
    return [fix.code.value, fix.reason] if isinstance(fix, Rejection) else None


def _fix_of(record: Json) -> Fix | Rejection | None:
    if record is None:
        return None
    if len(record) == 2:
        code, reason = record
        return Rejection(str(reason), RejectionCode(code))
    applicability, message, edits = record
    made = (Edit(str(path), int(start), int(end), str(content)) for path, start, end, content in edits)
    return Fix(Applicability(applicability), str(message), tuple(made))
