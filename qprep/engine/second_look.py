"""Findings of the analysis after a rewrite that the one before did not have: one of both is wrong."""

from __future__ import annotations

import ast
import difflib
import re
from collections import Counter
from typing import TYPE_CHECKING

from qprep.foundation.findings import Finding, Rejection, RejectionCode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from qprep.engine.config.settings import SettingsResolver
    from qprep.engine.snapshot import Reported, Survey
    from qprep.foundation.source import SourceFile

_NEWLINE = re.compile(r"\r\n|\r|\n")


def worse(
    survey: Survey,
    after: Survey,
    settings: SettingsResolver,
    texts: Mapping[str, tuple[SourceFile, str]],
    chosen: Collection[Reported],
) -> dict[str, Rejection]:
    """Files in whose new lines a second look finds more than the first left there, with the reason."""
    known = {fault.path for fault in survey.faults}
    worse = {
        fault.path: Rejection(f"its rewrite cannot be read: {fault.message}", RejectionCode.GATE)
        for fault in after.faults
        if fault.path not in known
    }
    following = {rule.code for rule in settings.rules if rule.follows}
    left = Counter((r.finding.path, r.finding.code) for r in survey.reported if r not in chosen)
    for path, (old, text) in texts.items():
        written = _written_lines(old.text, text)
        before = Before(old.text, [r.finding for r in survey.reported if r.finding.path == path])
        inside = Counter(
            r.finding.code
            for r in after.reported
            if r.finding.path == path
            and r.finding.start.line in written
            and r.finding.code not in following
            and not before.overlooked(r.finding, text)
        )
        code = next((code for code, count in inside.items() if count > left[path, code]), None)
        if code is not None:
            reason = f"its rewrite failed a check: a second analysis finds {code} in what was written"
            worse[path] = Rejection(reason, RejectionCode.GATE)
    return worse


class Before:
    """A file as the first look saw it."""

    def __init__(self, text: str, findings: Collection[Finding]) -> None:
        self._text = _on_one_line(text)
        self._reported = {(finding.code, _segment(text, finding)) for finding in findings}

    def overlooked(self, finding: Finding, new_text: str) -> bool:
        """True if a finding of the second look is code that the first look saw too and reported nowhere.

        A function that became a module, or a call that reaches one, gives its parameters other kinds: then old code
        is reported for the first time, and the rewrite made nothing worse. Parts of it may call new modules.
        """
        segment = _segment(new_text, finding)
        kept = _kept_parts(segment)
        if not all(part in self._text for part in kept):
            return False
        same = re.compile(".+".join(map(re.escape, kept)))
        return not any(code == finding.code and same.fullmatch(known) for code, known in self._reported)


def _kept_parts(segment: str) -> list[str]:
    """The texts between the outermost calls of attributes of self in an expression, which a rewrite may have written.

    At the place of such a call at the beginning or the end stands an empty text. A call alone is kept as it is.
    """
    try:
        waiting: list[ast.AST] = [ast.parse(segment, mode="eval")]
    except SyntaxError:
        return [segment]
    encoded = segment.encode()
    calls: list[tuple[int, int]] = []
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self")), end_col_offset=int(end)):
                calls.append((node.col_offset, end))
            case _:
                waiting.extend(ast.iter_child_nodes(node))
    parts, at = [], 0
    for start, end in sorted(calls):
        parts.append(encoded[at:start].decode())
        at = end
    parts.append(encoded[at:].decode())
    return parts if any(parts) else [segment]


def _segment(text: str, finding: Finding) -> str:
    """The code of a finding, on one line."""
    lines = _lines(text)[finding.start.line - 1 : finding.end.line]
    if not lines:
        return ""
    lines[-1] = lines[-1][: finding.end.column - 1]
    lines[0] = lines[0][finding.start.column - 1 :]
    return _on_one_line("\n".join(lines))


def _lines(text: str) -> list[str]:
    """Lines as findings count them: a form feed ends none."""
    return _NEWLINE.split(text)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _written_lines(old: str, new: str) -> set[int]:
    """1-based lines of `new` that `old` does not have, not even elsewhere: a module repeats what its function says."""
    before, after = _lines(old), _lines(new)
    known = {line.strip() for line in before}
    lines: set[int] = set()
    for tag, _, _, start, end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag in ("insert", "replace"):
            lines.update(number + 1 for number in range(start, end) if after[number].strip() not in known)
    return lines
