"""`--add-ignore`: write a suppression comment for every finding, so that only new ones are reported from now on."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Sequence

from qprep.engine.suppressions import Suppression, read
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Edit, Finding
from qprep.foundation.internal_rules import ALWAYS_ON, UNKNOWN_SUPPRESSION, UNUSED_SUPPRESSION
from qprep.foundation.source import SourceFile
from qprep.foundation.text_edits import apply_edits

_NOT_SUPPRESSED = ALWAYS_ON | {UNKNOWN_SUPPRESSION.code, UNUSED_SUPPRESSION.code}


def add_ignores(source: SourceFile, findings: Sequence[Finding], reason: str) -> str:
    """The text with a comment on the last line of each finding's statement.

    Raises QprepError should a comment change what the code means (a statement that ends elsewhere than reported).
    """
    codes: dict[int, set[str]] = defaultdict(set)
    for finding in findings:
        codes[finding.statement[1]].add(finding.code)
    existing = {comment.line: comment for comment in read(source) if comment.verb == "ignore" and comment.codes}
    edits = [_edit(source, line, codes[line], existing.get(line), reason) for line in sorted(codes)]
    text = apply_edits(source.text, edits)
    after = SourceFile(source.path, b"", text, source.encoding, source.bom).parse()
    if ast.dump(source.parse()) != ast.dump(after):
        raise QprepError(f"{source.path}: a suppression comment cannot be placed without changing the code")
    return text


def can_suppress(finding: Finding) -> bool:
    """True if a comment may take a finding out: not for files that were not read, nor for what is about comments."""
    return finding.code not in _NOT_SUPPRESSED


def _edit(source: SourceFile, line: int, codes: Iterable[str], existing: Suppression | None, reason: str) -> Edit:
    if existing:
        opening = existing.start + source.text[existing.start : existing.end].index("[") + 1
        closing = existing.start + source.text[existing.start : existing.end].index("]")
        merged = dict.fromkeys((*existing.codes, *sorted(codes)))
        return Edit(source.path, opening, closing, ", ".join(merged))
    end = source.starts[line - 1] + len(source.line(line).rstrip())
    comment = f"  # qprep: ignore[{', '.join(sorted(codes))}]"
    return Edit(source.path, end, end, f"{comment} {reason}".rstrip())
