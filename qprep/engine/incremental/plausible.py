"""True if findings that were read from a file can be of the sources as they are: what is shown must exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import pairwise

from qprep.foundation.findings import Edit, Finding, Fix, Position
from qprep.foundation.source import SourceFile
from qprep.foundation.source_cache import Sources


def are_plausible(findings: Iterable[Finding], paths: Collection[str]) -> bool:
    """True if each place and each edit lies in a source, and every finding in one of `paths` (as reports show them).

    Does not check the findings themselves: who can write to the cache decides what it holds.
    """
    sources = Sources()
    return all(finding.path in paths and _is_plausible(finding, sources) for finding in findings)


def _is_plausible(finding: Finding, sources: Sources) -> bool:
    source = sources.get(finding.path)
    if source is None:  # the finding says so
        return finding.start == finding.end == Position(1, 1) or finding.start.line > 0
    first, last = finding.statement
    if not (_is_inside(finding.start, source) and _is_inside(finding.end, source) and finding.start <= finding.end):
        return False
    if not (0 < first <= last <= len(source.starts)):
        return False
    return not isinstance(finding.fix, Fix) or _are_inside(finding.fix.edits, sources)


def _is_inside(position: Position, source: SourceFile) -> bool:
    if not (0 < position.line <= len(source.starts) and position.column > 0):
        return False
    return source.offset_of(position) <= len(source.text)


def _are_inside(edits: Iterable[Edit], sources: Sources) -> bool:
    """True if edits lie in their files one behind the other."""
    ordered = sorted(edits)
    for edit in ordered:
        source = sources.get(edit.path) if "\0" not in edit.path else None
        if source is None or not 0 <= edit.start <= edit.end <= len(source.text):
            return False
    return all(one.path != two.path or one.end <= two.start for one, two in pairwise(ordered))
