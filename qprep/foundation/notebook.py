"""Jupyter notebooks: their Python cells as one text, and a changed text back into the cells.

Everything else in the file (outputs, metadata, the layout of the JSON) stays byte for byte. In the text each cell comes
behind a line that names it, and what IPython alone understands is a `pass` with the line itself in a comment.
"""

from __future__ import annotations

import bisect
import json
import re
from dataclasses import dataclass
from typing import Any, Final

SUFFIX: Final = ".ipynb"
_MARK: Final = re.compile(r"^# %% \[cell (\d+)\]\n", re.MULTILINE)
_MAGIC: Final = re.compile(
    r"(?P<indent>[ \t]*)(?P<line>%{1,2}[A-Za-z].*|!.*|\?{1,2}\w.*|[^#'\"]+\?{1,2}\s*|[\w, ]+=\s*(?:%[A-Za-z]|!).*)"
)
_MASKED: Final = re.compile(r"(?P<indent>[ \t]*)pass  # \[magic(?P<more>\+?)\] (?P<line>.*)")
_PYTHON_MAGICS: Final = frozenset(("time", "timeit", "capture", "prun"))
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_SCALAR: Final = re.compile(r"[^\s,\]}]+")
_SHOWN: Final = re.compile(r"(?P<path>.+\.ipynb):cell (?P<cell>\d+)")


class NotebookError(ValueError):
    """The fault of a notebook."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of Python: its number among all cells (from 1), its source, and where that stands in the file."""

    number: int
    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook as it is in the file, and its Python cells as one text."""

    raw: str
    cells: tuple[Cell, ...]
    text: str

    def with_text(self, text: str) -> str:
        """The file with the cells of a changed text; raises NotebookError where they cannot be distinguished."""
        old, new = _split(self.text), _split(text)
        if [number for number, _ in new] != [cell.number for cell in self.cells]:
            raise NotebookError("its cells cannot be distinguished")
        parts, done = [], 0
        for cell, (_, before), (_, after) in zip(self.cells, old, new, strict=True):
            if before != after:
                source = _unmasked(after)
                source = source if cell.source.endswith("\n") else source.removesuffix("\n")
                parts += [self.raw[done : cell.start], _written(self.raw[cell.start : cell.end], source)]
                done = cell.end
        return "".join((*parts, self.raw[done:]))

    def locate(self, line: int) -> tuple[int, int]:
        """Of a 1-based line of the text: the number of its cell, and how many lines come before that cell's first."""
        marks = [(self.text.count("\n", 0, match.start()) + 1, int(match[1])) for match in _MARK.finditer(self.text)]
        index = bisect.bisect_right(marks, (line, len(self.raw))) - 1
        return (marks[index][1], marks[index][0]) if index >= 0 else (1, 0)

    def cell_at(self, offset: int) -> tuple[int, int]:
        """Of an offset in the text: the number of its cell, and the offset of that cell's first character."""
        marks = [match for match in _MARK.finditer(self.text) if match.end() <= offset]
        return (int(marks[-1][1]), marks[-1].end()) if marks else (1, 0)

    def cell_text(self, number: int) -> str:
        """The text of one cell, what IPython alone understands masked."""
        return dict(_split(self.text)).get(number, "")


def read_notebook(raw: str) -> Notebook:
    """Take a notebook apart; raises NotebookError for a file that is not of format 4."""
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise NotebookError(f"expected a notebook, found no JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise NotebookError("expected a notebook of format 4, found no list of cells")
    spans = _source_spans(raw)
    cells: list[Cell] = []
    if _is_python(document):
        for number, (cell, span) in enumerate(zip(document["cells"], spans, strict=False), start=1):
            source = _source(cell)
            if source is not None and span is not None and not _is_foreign(source):
                cells.append(Cell(number, source, *span))
    text = "".join(f"# %% [cell {cell.number}]\n{_masked(cell.source)}" for cell in cells)
    if len(_split(text)) != len(cells):
        raise NotebookError("a comment in it looks like the line between two cells")
    return Notebook(raw, tuple(cells), text)


def shown_path(path: str, cell: int) -> str:
    """The name of a cell in a report."""
    return f"{path}:cell {cell}"


def split_shown(path: str) -> tuple[str, int | None]:
    """The file, and the cell where the path names one."""
    match = _SHOWN.fullmatch(path)
    return (match["path"], int(match["cell"])) if match else (path, None)


def _is_python(document: dict[str, Any]) -> bool:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for key, inner in (("language_info", "name"), ("kernelspec", "language")):
        entry = metadata.get(key)
        if isinstance(entry, dict) and isinstance(entry.get(inner), str):
            return bool(entry[inner].lower() in ("python", "ipython"))
    return True


def _source(cell: object) -> str | None:
    """The source of a code cell."""
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return None
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    return source if isinstance(source, str) else None


def _is_foreign(source: str) -> bool:
    """True if a cell magic makes the cell something else than Python."""
    first = source.lstrip().split("\n", 1)[0]
    words = first[2:].split()
    return first.startswith("%%") and (not words or words[0] not in _PYTHON_MAGICS)


def _masked(source: str) -> str:
    lines: list[str] = []
    indent: str | None = None  # of the magic that goes on in this line
    for line in source.split("\n"):
        match = _MAGIC.fullmatch(line)
        if indent is not None:
            lines.append(f"{indent}pass  # [magic+] {line}")
        else:
            lines.append(f"{match['indent']}pass  # [magic] {match['line']}" if match is not None else line)
        indent = indent if indent is not None or match is None else match["indent"]
        indent = indent if line.rstrip().endswith("\\") else None
    text = "\n".join(lines)
    return text if text.endswith("\n") or not text else f"{text}\n"


def _unmasked(text: str) -> str:
    return "\n".join(map(_unmasked_line, text.split("\n")))


def _unmasked_line(line: str) -> str:
    match = _MASKED.fullmatch(line)
    if match is None:
        return line
    return str(match["line"]) if match["more"] else f"{match['indent']}{match['line']}"


def _split(text: str) -> list[tuple[int, str]]:
    """Number and text of each cell."""
    marks = list(_MARK.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [(int(mark[1]), text[mark.end() : end]) for mark, end in zip(marks, ends, strict=False)]


def _written(old: str, source: str) -> str:
    """A source as JSON, in the way that the old one is written: a text, or a list of lines with its blanks."""
    plain = not re.search(r"\\u(?:0[1-9a-f]|[1-9a-fd])", old.replace("\\\\", ""), re.IGNORECASE)
    if old.startswith('"'):
        return json.dumps(source, ensure_ascii=not plain)
    lines = [json.dumps(line, ensure_ascii=not plain) for line in source.splitlines(keepends=True)]
    first = _BLANK.match(old, 1)
    lead = first.group() if first is not None else ""
    tail = old[len(old[:-1].rstrip()) : -1]
    separator = f",{lead}" if lead else ", "
    return f"[{lead}{separator.join(lines)}{tail}]" if lines else "[]"


def _source_spans(raw: str) -> list[tuple[int, int] | None]:
    """The positions of the `source` of each cell in a valid JSON text."""
    found: list[tuple[int, int] | None] = []
    for key, start, _ in _members(raw, _skip_blank(raw, 0)):
        if key == "cells":
            found = []
            for item in _items(raw, start):
                spans = (
                    {name: (begin, end) for name, begin, end in _members(raw, item[0])} if raw[item[0]] == "{" else {}
                )
                found.append(spans.get("source"))
    return found


def _members(raw: str, offset: int) -> list[tuple[str, int, int]]:
    """Key, start and end of the values of an object."""
    found: list[tuple[str, int, int]] = []
    offset = _skip_blank(raw, offset + 1)
    while raw[offset] != "}":
        end = _string_end(raw, offset)
        key = json.loads(raw[offset:end])
        start = _skip_blank(raw, _skip_blank(raw, end) + 1)
        stop = _value_end(raw, start)
        found.append((key, start, stop))
        offset = _skip_blank(raw, stop)
        offset = _skip_blank(raw, offset + 1) if raw[offset] == "," else offset
    return found


def _items(raw: str, offset: int) -> list[tuple[int, int]]:
    """Start and end of the values of an array."""
    found: list[tuple[int, int]] = []
    offset = _skip_blank(raw, offset + 1)
    while raw[offset] != "]":
        stop = _value_end(raw, offset)
        found.append((offset, stop))
        offset = _skip_blank(raw, stop)
        offset = _skip_blank(raw, offset + 1) if raw[offset] == "," else offset
    return found


def _value_end(raw: str, offset: int) -> int:
    if raw[offset] == '"':
        return _string_end(raw, offset)
    if raw[offset] in "[{":
        depth, position = 0, offset
        while True:
            character = raw[position]
            depth += (character in "[{") - (character in "]}")
            position = _string_end(raw, position) if character == '"' else position + 1
            if not depth:
                return position
    match = _SCALAR.match(raw, offset)
    return match.end() if match is not None else offset


def _string_end(raw: str, offset: int) -> int:
    offset += 1
    while raw[offset] != '"':
        offset += 2 if raw[offset] == "\\" else 1
    return offset + 1


def _skip_blank(raw: str, offset: int) -> int:
    match = _BLANK.match(raw, offset)
    return match.end() if match is not None else offset
