"""The baseline: findings that were there when a code base began to use qprep, and that are not reported again.

A finding is known by its rule, file, enclosing class and function, and the text of its expression, not by its line:
code may move. Where these repeat, the baseline holds how often, so that one more of the same kind is a new finding.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from qprep.foundation.atomic_write import save
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Finding
from qprep.foundation.internal_rules import ALWAYS_ON, TRACE_FAILED
from qprep.foundation.regular_files import read_text
from qprep.foundation.source import SourceError, SourceFile
from qprep.foundation.source_cache import Sources

DEFAULT_NAME = "qprep-baseline.json"
_VERSION = 1
# A file that was not analysed, a model that does not run: these hide findings, and are not hidden themselves.
_NEVER = ALWAYS_ON | {TRACE_FAILED.code}
_OPENING = re.compile(r"(?<=[(\[{]) ")
_CLOSING = re.compile(r",? (?=[)\]}])")


@dataclass(frozen=True, slots=True, order=True)
class BaselineEntry:
    """The identity of a finding; `path` is relative to the baseline's folder, `within` like `Block.forward`."""

    path: str
    within: str
    rule: str
    source: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """Findings that are new, how many were known, and the entries of analysed files that nothing matched."""

    new: tuple[Finding, ...]
    known: int
    stale: Counter[BaselineEntry]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The entries of a baseline, with how often each counts, and the folder that their paths are relative to."""

    entries: Counter[BaselineEntry]
    folder: Path

    def known(self, findings: Iterable[Finding], overlay: Mapping[str, bytes]) -> frozenset[Finding]:
        """Those of some findings, in their order, that the baseline holds; `overlay` as in `Engine`."""
        listed = list(findings)
        new = set(weigh(listed, Sources(overlay), self.entries, self.folder, ()).new)
        return frozenset(finding for finding in listed if finding not in new)


def read_baseline(path: Path) -> Counter[BaselineEntry]:
    """The entries of a baseline and how often each counts; raises QprepError for anything but a baseline."""
    try:
        document = json.loads(read_text(path))
    except OSError as error:
        hint = "; --write-baseline writes one" if not path.exists() else ""
        raise QprepError(f"--baseline: `{path}` cannot be read: {error.strerror}{hint}") from error
    except (ValueError, RecursionError) as error:
        raise QprepError(f"--baseline: expected JSON in `{path}`, found: {error}") from error
    version = document.get("version") if isinstance(document, dict) else None
    if version != _VERSION:
        raise QprepError(f'--baseline: expected a baseline with "version": {_VERSION}, found {version!r} in `{path}`')
    entries: Counter[BaselineEntry] = Counter()
    records = document.get("findings", [])
    if not isinstance(records, list):
        raise QprepError(f"--baseline: expected a list of findings in `{path}`, found {records!r}")
    for record in records:
        entry, count = _entry(record, path)
        entries[entry] += count
    return entries


def write_baseline(path: Path, entries: Mapping[BaselineEntry, int]) -> None:
    """Write a baseline, one line an entry, so that it merges and reads well in a diff."""
    lines = [
        json.dumps({**asdict(entry), "count": entries[entry]}, ensure_ascii=False)
        for entry in sorted(entries)
        if entries[entry] > 0
    ]
    body = ",\n    ".join(lines)
    findings = f"[\n    {body}\n  ]" if lines else "[]"
    text = f'{{\n  "version": {_VERSION},\n  "findings": {findings}\n}}\n'
    save(path, text.encode("utf-8", "backslashreplace"), "--write-baseline")


def entries_of(
    findings: Iterable[Finding], sources: Sources, folder: Path
) -> list[tuple[Finding, BaselineEntry | None]]:
    """Each finding with its entry; None for what no baseline holds."""
    scopes: dict[str, DefinitionSpans] = {}
    pairs: list[tuple[Finding, BaselineEntry | None]] = []
    for finding in findings:
        source = sources.get(finding.path) if finding.code not in _NEVER else None
        if source is None:
            pairs.append((finding, None))
            continue
        if finding.path not in scopes:
            scopes = {finding.path: DefinitionSpans.of(source)}  # findings come file by file
        within = scopes[finding.path].around(finding.start.line)
        text = _expression(source, finding)
        pairs.append((finding, BaselineEntry(relative(finding.path, folder), within, finding.code, text)))
    return pairs


def weigh(
    findings: Iterable[Finding], sources: Sources, known: Counter[BaselineEntry], folder: Path, looked_at: Iterable[str]
) -> Weighed:
    """Take out what the baseline holds; `looked_at` are the paths, as reported, of the files of this run."""
    left = Counter(known)
    new: list[Finding] = []
    count = 0
    for finding, entry in entries_of(findings, sources, folder):
        if entry is not None and left[entry] > 0:
            left[entry] -= 1
            count += 1
        else:
            new.append(finding)
    here = {relative(path, folder) for path in looked_at}
    return Weighed(tuple(new), count, Counter({entry: n for entry, n in left.items() if n > 0 and entry.path in here}))


def relative(path: str, folder: Path) -> str:
    """A path as a baseline in `folder` writes it."""
    full = os.path.abspath(path)
    try:
        return Path(os.path.relpath(full, folder)).as_posix()
    except ValueError:  # another drive
        return Path(full).as_posix()


def _entry(record: object, path: Path) -> tuple[BaselineEntry, int]:
    names = ("path", "within", "rule", "source")
    if isinstance(record, dict) and all(isinstance(record.get(name), str) for name in names):
        count = record.get("count", 1)
        if isinstance(count, int) and count > 0:
            return BaselineEntry(*(record[name] for name in names)), count
    raise QprepError(f"--baseline: expected entries with {', '.join(names)} and count in `{path}`, found {record!r}")


def _expression(source: SourceFile, finding: Finding) -> str:
    """The text of the expression on one line, the same for any line breaks."""
    text = source.text[source.offset_of(finding.start) : source.offset_of(finding.end)]
    return _CLOSING.sub("", _OPENING.sub("", " ".join(text.split())))


@dataclass(frozen=True, slots=True)
class DefinitionSpans:
    """The classes and functions of a file: first line, last line, dotted name; outer before inner."""

    spans: tuple[tuple[int, int, str], ...]

    @classmethod
    def of(cls, source: SourceFile) -> DefinitionSpans:
        """Those of a file; none where it cannot be parsed."""
        try:
            tree = source.parse()
        except SourceError:
            return cls(())
        found: list[tuple[int, int, str]] = []
        stack: list[tuple[ast.AST, str]] = [(tree, "")]
        while stack:
            node, name = stack.pop()
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{name}.{node.name}" if name else node.name
                found.append((node.lineno, node.end_lineno or node.lineno, name))
            stack += [(child, name) for child in ast.iter_child_nodes(node)]
        return cls(tuple(sorted(found, key=lambda span: (span[0], -span[1]))))

    def around(self, line: int) -> str:
        """The dotted name of the innermost class or function that holds a line; "" at the top level."""
        return next((name for first, last, name in reversed(self.spans) if first <= line <= last), "")
