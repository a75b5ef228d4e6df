"""One document of an editor: its findings, in the places that the language server protocol counts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from qprep.cli.lsp.buffers import BOM, Buffer
from qprep.engine.add_ignore import add_ignores, can_suppress
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.discovery import discover
from qprep.engine.execution import Effort
from qprep.engine.incremental.held import HeldState
from qprep.engine.rule_registry import all_rules
from qprep.engine.runs import check, fix
from qprep.engine.surroundings import surroundings
from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Edit, Finding, Position
from qprep.foundation.notebook import SUFFIX, read_notebook
from qprep.foundation.source import SourceError, SourceFile
from qprep.foundation.source_cache import Sources

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # lines as the protocol ends them
UNITS: Final = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
Spot = tuple[int, int]  # 0-based line, and column in units of the client's encoding


@dataclass(frozen=True, slots=True)
class TextChange:
    """Replace what lies between two spots."""

    start: Spot
    end: Spot
    text: str


@dataclass(frozen=True, slots=True)
class DocumentLook:
    """The inputs of one analysis of a file: the file, all open documents, the server's state, and if it is obsolete."""

    buffer: Buffer
    overlay: Mapping[str, bytes]
    held: HeldState
    obsolete: Callable[[], bool]

    @property
    def effort(self) -> Effort:
        """The options of the work."""
        return Effort(held=self.held, obsolete=self.obsolete)


@dataclass(frozen=True, slots=True)
class Document:
    """A text at one version of it, with its findings; `source` is None if it cannot be decoded."""

    uri: str
    shown: str
    text: str
    source: SourceFile | None = None
    findings: tuple[Finding, ...] = ()
    sources: Sources = field(default_factory=Sources)  # all files, as they were when the findings were made

    def at(self, start: Spot, end: Spot, encoding: str) -> list[Finding]:
        """The findings that touch a range."""
        return [f for f in self.findings if self.spot(f.start, encoding) <= end and self.spot(f.end, encoding) >= start]

    def spot(self, position: Position, encoding: str) -> Spot:
        """The position as the client counts."""
        line = self.source.line(position.line) if self.source is not None else ""
        return _shifted((position.line - 1, _units(line[: position.column - 1], encoding)), self.text, encoding)

    def changes(self, finding: Finding, edits: tuple[Edit, ...], encoding: str) -> dict[str, list[TextChange]]:
        """A fix as changes of files, by the path that reports show."""
        found: dict[str, list[TextChange]] = {}
        for edit in edits:
            own = edit.path == finding.path
            source = self.source if own else self.sources.get(edit.path)
            if source is not None:
                found.setdefault(edit.path, []).append(_change(source, edit, self.text if own else "", encoding))
        return found

    def suppression(self, finding: Finding, encoding: str) -> list[TextChange]:
        """The comment that takes a finding out; none where there can be none."""
        if self.source is None or not can_suppress(finding):
            return []
        try:
            return [self.whole(add_ignores(self.source, [finding], ""), encoding)]
        except (QprepError, SourceError):
            return []

    def whole(self, text: str, encoding: str) -> TextChange:
        """The lines in which a new text differs, as one change."""
        if self.text.startswith(BOM) and not text.startswith(BOM):
            text = BOM + text
        old, new = _LINE.findall(self.text), _LINE.findall(text)
        first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        last = 0
        while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
            last += 1
        before, gone = "".join(old[:first]), "".join(old[first : len(old) - last])
        start, end = _spot(before, encoding), _spot(before + gone, encoding)
        return TextChange(start, end, "".join(new[first : len(new) - last]))


def look_at(look: DocumentLook) -> dict[str, Document]:
    """Check a file as it is in the editor; its documents by URI. Raises QprepError for what is wrong with settings.

    The project's other files are read for their effects on the file's classes, as `qprep check` does.
    """
    buffer, settings = look.buffer, _settings()
    plain = {uri: Document(uri, buffer.shown[uri], text) for uri, text in buffer.texts.items()}
    if not _is_wanted(buffer, settings):
        return plain
    beside = surroundings([buffer.path], settings).paths
    result = run_with_large_stack(
        lambda: check([buffer.path], settings, overlay=look.overlay, effort=look.effort, beside=beside)
    )
    sources = Sources(look.overlay)
    findings = [sources.in_cell(finding) for finding in result.findings]
    return {
        uri: replace(
            document,
            source=sources.get(document.shown),
            sources=sources,
            findings=tuple(f for f in findings if f.path == document.shown),
        )
        for uri, document in plain.items()
    }


def fixed(look: DocumentLook) -> dict[str, str]:
    """The texts with all their safe fixes (the unsafe ones where the settings ask for them), where they change."""
    buffer, settings = look.buffer, _settings()
    if not _is_wanted(buffer, settings):
        return {}
    beside = surroundings([buffer.path], settings).paths
    result = run_with_large_stack(
        lambda: fix([buffer.path], settings, write=False, overlay=look.overlay, effort=look.effort, beside=beside)
    )
    new = next((entry for entry in result.changed if entry.path == buffer.name), None)
    if result.reverted or new is None:
        return {}
    return _texts(buffer, new.old.encode(new.new_text), new.new_text)


def _texts(buffer: Buffer, content: bytes, text: str) -> dict[str, str]:
    if buffer.path.suffix != SUFFIX:
        return {uri: text for uri, old in buffer.texts.items() if text != old}
    after = {cell.number: cell.source for cell in read_notebook(content.decode()).cells}
    cells = enumerate(buffer.texts.items(), start=1)
    return {uri: after[number] for number, (uri, old) in cells if after.get(number, old) != old}


def _settings() -> SettingsResolver:
    return SettingsResolver(all_rules(), force_exclude=True)


def _is_wanted(buffer: Buffer, settings: SettingsResolver) -> bool:
    """True if the settings do not exclude a file."""
    return bool(discover([buffer.path], settings, given=[buffer.name]).files)


def absolute(shown: str) -> Path:
    """The file of a path that reports show."""
    return Path(os.path.abspath(shown))


def _change(source: SourceFile, edit: Edit, text: str, encoding: str) -> TextChange:
    start, end = _place(source, edit.start, encoding), _place(source, edit.end, encoding)
    return TextChange(_shifted(start, text, encoding), _shifted(end, text, encoding), edit.content)


def _place(source: SourceFile, offset: int, encoding: str) -> Spot:
    position = source.position(offset)
    start = source.starts[position.line - 1]
    return position.line - 1, _units(source.text[start:offset], encoding)


def _shifted(spot: Spot, text: str, encoding: str) -> Spot:
    """A spot in a text whose first character may be a BOM, which sources do not have."""
    has_bom = spot[0] == 0 and text.startswith(BOM)
    return (0, spot[1] + _units(BOM, encoding)) if has_bom else spot


def _spot(before: str, encoding: str) -> Spot:
    """The spot behind a text: its line ends are those of the protocol (\\n, \\r\\n, \\r)."""
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(lines) - 1, _units(lines[-1], encoding)


def _units(text: str, encoding: str) -> int:
    name, size = UNITS.get(encoding, UNITS["utf-16"])
    return len(text.encode(name, "surrogatepass")) // size
