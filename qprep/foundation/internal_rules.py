"""The engine's own rules, QP0xx: what keeps qprep itself from reading or rewriting a file."""

from __future__ import annotations

from qprep.foundation.findings import Finding, Fix, Position, Rejection, Rule, Severity

SYNTAX_ERROR = Rule(
    "QP001",
    "syntax-error",
    "The file is not valid Python",
    "Position and message come from CPython's parser. Nothing else is reported for such a file.",
    Severity.ERROR,
    fixable=False,
)
NOT_ROUND_TRIPPABLE = Rule(
    "QP002",
    "not-round-trippable",
    "The file cannot be rewritten without changing unrelated bytes",
    "Before a rewrite, qprep checks that LibCST reproduces the bytes of the unchanged file. If it does not, the "
    "file is reported and never changed.",
    Severity.WARNING,
    fixable=False,
)
UNREADABLE_FILE = Rule(
    "QP003",
    "unreadable-file",
    "The file cannot be read or decoded",
    "The file has no read permission, is not a regular file, or contains bytes that are invalid in its encoding.",
    Severity.ERROR,
    fixable=False,
)
UNKNOWN_SUPPRESSION = Rule(
    "QP004",
    "unknown-suppression",
    "A suppression comment that names no rule, or an unknown one",
    "`# qprep: ignore[QP101] reason` takes codes, prefixes or names of rules. A comment cannot suppress all rules.",
)
UNUSED_SUPPRESSION = Rule(
    "QP005",
    "unused-suppression",
    "A suppression comment that suppresses nothing",
    "Codes of rules that are switched off are not reported. The fix removes the code, or the whole comment.",
)
TOO_DEEP = Rule(
    "QP006",
    "too-deep",
    "The code is nested too deeply to be analysed or rewritten",
    "CPython's parser and LibCST are recursive; code with thousands of nested levels exhausts them.",
    Severity.ERROR,
    fixable=False,
)
TRACE_FAILED = Rule(
    "QP007",
    "trace-failed",
    "A model given to --trace does not run",
    "Importing the model, building it, making its inputs, or its forward pass failed, crashed or took too long. The"
    " message gives the reason; the notes name the last calls in your code. The static findings are reported as "
    "usual.",
    Severity.ERROR,
    fixable=False,
)
ANALYSIS_FAILED = Rule(
    "QP008",
    "analysis-failed",
    "qprep itself failed on the file",
    "qprep raised an error, or its process died or hung, while it analysed this file. The file was skipped; the "
    "other files were analysed without it. The exit code is 2. Please report it, with the file if you can.",
    Severity.ERROR,
    fixable=False,
)
ENGINE_RULES = (
    SYNTAX_ERROR,
    NOT_ROUND_TRIPPABLE,
    UNREADABLE_FILE,
    UNKNOWN_SUPPRESSION,
    UNUSED_SUPPRESSION,
    TOO_DEEP,
    TRACE_FAILED,
    ANALYSIS_FAILED,
)
# A file that was not analysed is never clean, whatever was selected.
ALWAYS_ON = frozenset({SYNTAX_ERROR.code, UNREADABLE_FILE.code, TOO_DEEP.code, ANALYSIS_FAILED.code})


def engine_finding(
    rule: Rule,
    path: str,
    message: str,
    start: Position | None = None,
    end: Position | None = None,
    *,
    help: str = "",
    fix: Fix | Rejection | None = None,
) -> Finding:
    """Build a finding of one of the engine's rules; without an end it is one place."""
    first = start or Position(1, 1)
    last = end or first
    return Finding(rule.code, rule.name, message, help, path, first, last, (first.line, last.line), rule.severity, fix)
