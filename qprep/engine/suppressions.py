"""Suppression comments: which findings they take out, and which of them are unknown or unused.

`# qprep: ignore[QP101, QP3] reason` counts on any line of a finding's logical statement and, on a line of its own,
for the statement right below; `# qprep: ignore-file[QP101]` on a line of its own counts for the file.
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from qprep.engine.rule_selection import matches, suggestion
from qprep.foundation.findings import Applicability, Edit, Finding, Fix, Rejection, RejectionCode, Rule
from qprep.foundation.internal_rules import UNKNOWN_SUPPRESSION, UNUSED_SUPPRESSION, engine_finding
from qprep.foundation.source import SourceFile

MARK = "qprep:"
_DIRECTIVE = re.compile(r"#[ \t]*qprep:[ \t]*(?P<verb>[\w-]+)?(?P<codes>\[[^\]\n]*\])?[^#]*")
_EXPECTED = "expected `# qprep: ignore[CODE, …] reason` or `# qprep: ignore-file[CODE, …]`"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One directive: `start` to `end` are its offsets in the text, `codes` what stands between the brackets."""

    line: int
    start: int
    end: int
    verb: str
    codes: tuple[str, ...]
    own_line: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """Findings that stay (those about the comments included), and those that comments took out."""

    kept: tuple[Finding, ...]
    suppressed: tuple[Finding, ...]


def judge(source: SourceFile, findings: Sequence[Finding], rules: tuple[Rule, ...], enabled: Collection[str]) -> Judged:
    """Take out what the comments of a file suppress, and add findings on unknown and unused codes.

    rules    all rules there are: a code that means none of them is unknown
    enabled  codes of the rules that ran on this file: only these can be unused
    """
    comments = read(source)
    if not comments:
        return Judged(tuple(findings), ())
    by_code = {rule.code: rule for rule in rules}
    below = _lines_below(comments)
    kept: list[Finding] = []
    suppressed: list[Finding] = []
    used: set[tuple[int, str]] = set()
    for finding in findings:
        hits = [
            (comment.start, code)
            for comment in comments
            if _reaches(comment, below.get(comment.line), finding)
            for code in comment.codes
            if matches(code, by_code[finding.code])
        ]
        used.update(hits)
        (suppressed if hits else kept).append(finding)
    own = [item for comment in comments for item in _faults(source, comment, used, rules, enabled)]
    return Judged((*kept, *(item for item in own if item.code in enabled)), tuple(suppressed))


def read(source: SourceFile) -> tuple[Suppression, ...]:
    """All directives of a file in order; none where its tokens cannot be read."""
    if MARK not in source.text:
        return ()
    found: list[Suppression] = []
    try:
        for token in source.tokens():
            if token.type == tokenize.COMMENT and MARK in token.string:
                found += _directives(source, token)
    except (tokenize.TokenError, SyntaxError):  # CPython's parser has the last word on what is wrong
        return tuple(found)
    return tuple(found)


def _directives(source: SourceFile, token: tokenize.TokenInfo) -> Iterable[Suppression]:
    line, column = token.start
    base = source.starts[line - 1] + column
    own_line = not token.line[:column].strip()
    for match in _DIRECTIVE.finditer(token.string):
        codes = tuple(code.strip() for code in (match["codes"] or "")[1:-1].split(",") if code.strip())
        text = match.group().rstrip()
        start = base + match.start()
        yield Suppression(line, start, start + len(text), match["verb"] or "", codes, own_line and not match.start())


def _lines_below(comments: Iterable[Suppression]) -> dict[int, int]:
    """For the own-line comments, by line: the first line below the block of them that they stand in."""
    lines = sorted({comment.line for comment in comments if comment.own_line}, reverse=True)
    below: dict[int, int] = {}
    for line in lines:
        below[line] = below.get(line + 1, line + 1)
    return below


def _reaches(comment: Suppression, line_below: int | None, finding: Finding) -> bool:
    if comment.verb == "ignore-file":
        return comment.own_line
    if comment.verb != "ignore":
        return False
    first, last = finding.statement
    return first <= comment.line <= last or line_below == first


def _faults(
    source: SourceFile,
    comment: Suppression,
    used: Collection[tuple[int, str]],
    rules: tuple[Rule, ...],
    enabled: Collection[str],
) -> Iterable[Finding]:
    if comment.verb not in ("ignore", "ignore-file") or not comment.codes:
        yield _finding(source, comment, UNKNOWN_SUPPRESSION, f"{_EXPECTED}, found no rule to ignore", None)
        return
    if comment.verb == "ignore-file" and not comment.own_line:
        yield _finding(source, comment, UNKNOWN_SUPPRESSION, "`ignore-file` must be on a separate line", None)
        return
    for code in comment.codes:
        meant = [rule.code for rule in rules if matches(code, rule)]
        if not meant:
            message = f"`{code}` is not a rule{suggestion(code, rules)}"
            yield _finding(source, comment, UNKNOWN_SUPPRESSION, message, code)
        elif (comment.start, code) not in used and any(known in enabled for known in meant):
            yield _finding(source, comment, UNUSED_SUPPRESSION, f"`{code}` suppresses nothing here", code)


def _finding(source: SourceFile, comment: Suppression, rule: Rule, message: str, code: str | None) -> Finding:
    fix: Fix | Rejection = Rejection("the rule is not known", RejectionCode.SETTING)
    if code is not None:
        fix = Fix(Applicability.SAFE, f"Remove `{code}`", (_removal(source, comment, code),))
    start, end = source.position(comment.start), source.position(comment.end)
    return engine_finding(rule, source.path, message, start, end, help="remove it, or name the rule", fix=fix)


def _removal(source: SourceFile, comment: Suppression, code: str) -> Edit:
    left = [other for other in comment.codes if other != code]
    text = source.text[comment.start : comment.end]
    if left:
        opening, closing = text.index("["), text.index("]")
        start = comment.start + opening + 1
        return Edit(source.path, start, comment.start + closing, ", ".join(left))
    return remove_comment(source, comment)


def remove_comment(source: SourceFile, comment: Suppression) -> Edit:
    """Take a directive out with the blanks before it, or with its whole line where nothing else stands there."""
    line_start = source.starts[comment.line - 1]
    line_end = source.starts[comment.line] if comment.line < len(source.starts) else len(source.text)
    before, after = source.text[line_start : comment.start], source.text[comment.end : line_end]
    if not before.strip() and not after.strip():
        return Edit(source.path, line_start, line_end, "")
    if not after.strip():
        return Edit(source.path, line_start + len(before.rstrip()), comment.end, "")
    # Another comment follows on the same line: it moves to where this one began.
    return Edit(source.path, comment.start, line_end - len(after.lstrip()), "")
