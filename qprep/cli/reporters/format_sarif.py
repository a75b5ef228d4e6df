"""SARIF 2.1.0, as GitHub code scanning wants it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from qprep.cli.reporters.fingerprint import fingerprints
from qprep.cli.reporters.report_data import Report
from qprep.cli.reporters.repository_path import repository_path
from qprep.foundation.findings import Edit, Finding, Fix, Position, Rule, Severity
from qprep.foundation.internal_rules import ALWAYS_ON
from qprep.foundation.source_cache import Sources
from qprep.foundation.version import __version__

SHOWS_EDITS = True
IS_HUMAN = False

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEMS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
_MOST_TEXT = 1024  # of a description, for code scanning


def render(report: Report) -> str:
    """One log with one run; rules are those that have results."""
    codes = sorted({finding.code for finding in report.findings})
    index = {code: number for number, code in enumerate(codes)}
    prints = fingerprints(report.findings, report.sources)
    results = [
        _result(finding, index[finding.code], mark, report.sources)
        for finding, mark in zip(report.findings, prints, strict=True)
    ]
    run = {
        "tool": {"driver": _driver([report.rules[code] for code in codes])},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report.findings)],
        "results": results,
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _driver(rules: list[Rule]) -> dict[str, Any]:
    return {"name": "qprep", "semanticVersion": __version__, "rules": [_rule(rule) for rule in rules]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary[:_MOST_TEXT]},
        "fullDescription": {"text": (rule.explanation or rule.summary)[:_MOST_TEXT]},
        "help": {"text": rule.explanation or rule.summary},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "precision": "high",
            "problem.severity": _PROBLEMS[rule.severity],
            "tags": ["pytorch", "quantization"],
        },
    }


def _invocation(findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Files that could not be analysed are notifications too: their absence of results means nothing."""
    failures = [
        {
            "level": "error",
            "message": {"text": finding.message},
            "locations": [{"physicalLocation": _physical(finding)}],
            "descriptor": {"id": finding.code},
        }
        for finding in findings
        if finding.code in ALWAYS_ON
    ]
    return {"executionSuccessful": True, "toolExecutionNotifications": failures}


def _result(finding: Finding, rule_index: int, fingerprint: str, sources: Sources) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": _physical(finding)}],
        "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint[:16]}:1"},
    }
    if finding.notes:
        result["properties"] = {"notes": list(finding.notes)}
    if isinstance(finding.fix, Fix):
        result["fixes"] = [_fix(finding.fix, sources)]
    return result


def _physical(finding: Finding) -> dict[str, Any]:
    return {"artifactLocation": {"uri": _uri(finding.path)}, "region": _region(finding.start, finding.end)}


def _region(start: Position, end: Position) -> dict[str, int]:
    return {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}


def _fix(fix: Fix, sources: Sources) -> dict[str, Any]:
    counts = Counter(edit.path for edit in fix.edits)
    changes = [
        {
            "artifactLocation": {"uri": _uri(path)},
            "replacements": [
                replacement
                for edit in sorted(fix.edits)
                if edit.path == path and (replacement := _replacement(edit, sources))
            ],
        }
        for path in sorted(counts)
    ]
    return {"description": {"text": fix.message}, "artifactChanges": changes}


def _replacement(edit: Edit, sources: Sources) -> dict[str, Any] | None:
    source = sources.get(edit.path)
    if source is None:
        return None
    region = _region(source.position(edit.start), source.position(edit.end))
    return {"deletedRegion": region, "insertedContent": {"text": edit.content}}


def _uri(shown: str) -> str:
    """Relative to the top of the repository; a file elsewhere as an absolute URI."""
    path = repository_path(shown)
    return Path(path).as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogateescape")
