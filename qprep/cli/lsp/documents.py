"""One document of an editor: its findings, in the places that the language server protocol counts."""

from __future__ import annotations

import io
import os
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qprep.engine.add_ignore import add_ignores, can_suppress
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.discovery import discover
from qprep.engine.rule_registry import all_rules
from qprep.engine.runs import check, fix
from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Edit, Finding, Position
from qprep.foundation.source import SourceError, SourceFile, display_path

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # lines as the protocol ends them
UNITS: Final = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
Spot = tuple[int, int]  # 0-based line, and column in units of the client's encoding


@dataclass(frozen=True, slots=True)
class Change:
    """Replace what lies between two spots."""

    start: Spot
    end: Spot
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text at one version of it, with its findings; `source` is None where it cannot be decoded."""

    path: Path
    text: str
    source: SourceFile | None = None
    findings: tuple[Finding, ...] = ()

    def at(self, start: Spot, end: Spot, encoding: str) -> list[Finding]:
        """The findings that touch a range."""
        return [f for f in self.findings if self.spot(f.start, encoding) <= end and self.spot(f.end, encoding) >= start]

    def spot(self, position: Position, encoding: str) -> Spot:
        """Where a position is, as the client counts."""
        line = self.source.line(position.line) if self.source is not None else ""
        return position.line - 1, _units(line[: position.column - 1], encoding)

    def changes(self, finding: Finding, edits: tuple[Edit, ...], encoding: str) -> dict[Path, list[Change]]:
        """A fix as changes of files, by absolute path."""
        found: dict[Path, list[Change]] = {}
        for edit in edits:
            own = edit.path == finding.path
            source = self.source if own else _read(edit.path)
            if source is not None:
                path = self.path if own else Path(os.path.abspath(edit.path))
                found.setdefault(path, []).append(_change(source, edit, encoding))
        return found

    def suppression(self, finding: Finding, encoding: str) -> list[Change]:
        """The comment that takes a finding out; none where there can be none."""
        if self.source is None or not can_suppress(finding):
            return []
        try:
            return [self.whole(add_ignores(self.source, [finding], ""), encoding)]
        except (QprepError, SourceError):
            return []

    def whole(self, text: str, encoding: str) -> Change:
        """The lines in which a new text differs, as one change."""
        old, new = _LINE.findall(self.text), _LINE.findall(text)
        first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        last = 0
        while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
            last += 1
        before, gone = "".join(old[:first]), "".join(old[first : len(old) - last])
        start, end = _spot(before, encoding), _spot(before + gone, encoding)
        return Change(start, end, "".join(new[first : len(new) - last]))


def look(path: Path, text: str) -> Document:
    """Check a document as it is in the editor; raises QprepError for what is wrong with the settings."""
    settings = SettingsResolver(all_rules(), force_exclude=True)
    shown = display_path(path)
    data = _encoded(text)
    if not discover([path], settings, given=[shown]).files:
        return Document(path, text)
    result = run_with_large_stack(lambda: check([path], settings, overlay={shown: data}))
    try:
        source = SourceFile.from_bytes(path, data)
    except SourceError:
        return Document(path, text)
    return Document(path, text, source, tuple(f for f in result.findings if f.path == shown))


def fixed(path: Path, text: str) -> str:
    """The text with all its safe fixes (the unsafe ones where the settings ask for them)."""
    settings = SettingsResolver(all_rules(), force_exclude=True)
    shown, data = display_path(path), _encoded(text)
    if not discover([path], settings, given=[shown]).files:
        return text
    result = run_with_large_stack(lambda: fix([path], settings, write=False, overlay={shown: data}))
    if result.reverted:
        return text
    return next((entry.new_text for entry in result.changed if entry.path == shown), text)


def _encoded(text: str) -> bytes:
    """The bytes that a file would have: in the encoding that its first lines declare."""
    plain = text.encode("utf-8", "surrogatepass")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(plain).readline)
        return text.encode(encoding)
    except (SyntaxError, UnicodeError, LookupError):
        return plain


def _read(path: str) -> SourceFile | None:
    try:
        return SourceFile.read(path)
    except SourceError:
        return None


def _change(source: SourceFile, edit: Edit, encoding: str) -> Change:
    return Change(_place(source, edit.start, encoding), _place(source, edit.end, encoding), edit.content)


def _place(source: SourceFile, offset: int, encoding: str) -> Spot:
    position = source.position(offset)
    start = source.starts[position.line - 1]
    return position.line - 1, _units(source.text[start:offset], encoding)


def _spot(before: str, encoding: str) -> Spot:
    """The spot behind a text: its line ends are those of the protocol (\\n, \\r\\n, \\r)."""
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(lines) - 1, _units(lines[-1], encoding)


def _units(text: str, encoding: str) -> int:
    name, size = UNITS.get(encoding, UNITS["utf-16"])
    return len(text.encode(name, "surrogatepass")) // size
