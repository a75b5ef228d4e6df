"""Names for findings that stay the same when lines move."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from qprep.foundation.findings import Finding
from qprep.foundation.source_cache import Sources


def fingerprints(findings: Iterable[Finding], sources: Sources) -> list[str]:
    """One per finding, all different: from path, code and the text of its line, counted where those repeat."""
    seen: Counter[tuple[str, str, str]] = Counter()
    result = []
    for finding in findings:
        key = (finding.path, finding.code, _line(finding, sources))
        seen[key] += 1
        text = "\0".join((*key, str(seen[key])))
        result.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
    return result


def _line(finding: Finding, sources: Sources) -> str:
    source = sources.get(finding.path)
    if source is None or finding.start.line > len(source.starts):
        return ""
    return source.line(finding.start.line).strip()
