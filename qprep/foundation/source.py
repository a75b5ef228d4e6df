"""One Python file as bytes and text, and the ways between ast positions, code point offsets and 1-based places."""

from __future__ import annotations

import ast
import bisect
import codecs
import io
import os
import re
import tokenize
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Finding, Position
from qprep.foundation.internal_rules import SYNTAX_ERROR, TOO_DEEP, UNREADABLE_FILE, engine_finding
from qprep.foundation.notebook import SUFFIX, Notebook, NotebookError, read_notebook
from qprep.foundation.regular_files import read_bytes

Located = ast.expr | ast.stmt | ast.excepthandler | ast.arg | ast.keyword | ast.alias | ast.pattern

_NEWLINE = re.compile(r"\r\n|\r|\n")
_BYTES_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")
_GENERATED = re.compile(r"^[ \t]*#.*@generated\b", re.MULTILINE)
_HEADER = 1024  # a generated-file marker counts only this near to the top


class SourceError(QprepError):
    """A file that cannot be analysed; `finding` says what is wrong and where."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.path}:{finding.start.line}:{finding.start.column}: {finding.message}")
        self.finding = finding


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: `text` is `data` decoded as PEP 263 says, without its BOM, its newlines exactly as they are."""

    path: str
    data: bytes
    text: str
    encoding: str
    bom: bool
    notebook: Notebook | None = field(default=None, repr=False, compare=False)  # whose cells the text is
    _starts: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SourceFile:
        """Read a file; raises SourceError (QP003) where that is not possible."""
        try:
            data = read_bytes(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise _unreadable(display_path(path), f"the file cannot be read: {reason}") from error
        return cls.from_bytes(path, data)

    @classmethod
    def from_bytes(cls, path: str | os.PathLike[str], data: bytes) -> SourceFile:
        """Decode `data` as Python does; raises SourceError (QP003) where that is not possible."""
        name = display_path(path)
        if name.endswith(SUFFIX):
            return cls._from_notebook(name, data)
        bom = data.startswith(codecs.BOM_UTF8)
        try:
            declared = _declared_encoding(data)
            encoding = "utf-8" if bom else declared
            text = data.removeprefix(codecs.BOM_UTF8).decode(encoding)
        except UnicodeDecodeError as error:
            raise _undecodable(name, error) from error
        except (SyntaxError, LookupError, ValueError) as error:
            raise _unreadable(name, f"the file cannot be decoded: {error}") from error
        return cls(name, data, text, encoding, bom)

    @classmethod
    def _from_notebook(cls, name: str, data: bytes) -> SourceFile:
        try:
            notebook = read_notebook(data.decode())
        except UnicodeDecodeError as error:
            raise _undecodable(name, error) from error
        except NotebookError as error:
            raise _unreadable(name, str(error)) from error
        return cls(name, data, notebook.text, "utf-8", False, notebook)

    def as_python(self, text: str) -> bytes:
        """`text` as the bytes that a parser of Python reads."""
        return text.encode() if self.notebook is not None else self.encode(text)

    def encode(self, text: str) -> bytes:
        """Give `text` this file's encoding and BOM, or put it into the notebook's cells.

        Raises UnicodeEncodeError if the encoding lacks a character, NotebookError where cells would be lost.
        """
        if self.notebook is not None:
            return self.notebook.with_text(text).encode()
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)

    @property
    def starts(self) -> list[int]:
        """The offset in `text` at which each line starts, lines being those of `ast`: ended by \\n, \\r\\n or \\r."""
        if not self._starts:
            self._starts.append(0)
            self._starts.extend(match.end() for match in _NEWLINE.finditer(self.text))
        return self._starts

    @property
    def newline(self) -> str:
        """The newline that new lines should end with: the file's first one, \\n where it has none."""
        found = _NEWLINE.search(self.text)
        return found.group() if found else "\n"

    def offset(self, lineno: int, col_utf8: int) -> int:
        """Turn an ast place (1-based line, column in UTF-8 bytes) into an offset in `text`."""
        start = self.starts[lineno - 1]
        if self.text.isascii():
            return start + col_utf8
        # A code point takes at least one byte, so this many of them hold the column.
        prefix = self.text[start : start + col_utf8].encode()
        return start + len(prefix[:col_utf8].decode())

    def span(self, node: Located) -> tuple[int, int]:
        """The offsets at which the source of an ast node starts and ends."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise ValueError(f"{type(node).__name__} node without an end position")
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def position(self, offset: int) -> Position:
        """Turn an offset in `text` into a 1-based line and column in code points."""
        line = bisect.bisect_right(self.starts, offset)
        return Position(line, offset - self.starts[line - 1] + 1)

    def offset_of(self, position: Position) -> int:
        """Turn a 1-based position back into an offset in `text`."""
        return self.starts[position.line - 1] + position.column - 1

    def line(self, lineno: int) -> str:
        """The text of a 1-based line, without its newline."""
        end = self.starts[lineno] if lineno < len(self.starts) else len(self.text)
        return self.text[self.starts[lineno - 1] : end].rstrip("\r\n")

    def tokens(self) -> Iterator[tokenize.TokenInfo]:
        """Tokens on the lines of `ast`; columns count code points. Raises what `tokenize` raises on bad source."""
        # tokenize takes a lone \r for an error; the columns and lines stay the same with \n.
        text = _NEWLINE.sub("\n", self.text) if "\r" in self.text else self.text
        return tokenize.generate_tokens(io.StringIO(text, newline="\n").readline)

    def parse(self, feature_version: tuple[int, int] | None = None) -> ast.Module:
        """Parse with CPython's own parser; raises SourceError (QP001 or QP006)."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text, self.path, feature_version=feature_version)
        except SyntaxError as error:
            raise SourceError(self._syntax_error(error)) from error
        except (RecursionError, MemoryError) as error:
            raise SourceError(too_deep(self.path)) from error
        except ValueError as error:  # some releases of CPython, for a NUL
            raise SourceError(self._syntax_error(SyntaxError(str(error)))) from error

    def _syntax_error(self, error: SyntaxError) -> Finding:
        """CPython gives columns of a SyntaxError in code points, 1-based, 0 where it knows none."""
        if error.lineno is None and "\0" in self.text:  # CPython tells no place for a NUL
            return engine_finding(SYNTAX_ERROR, self.path, error.msg, self.position(self.text.index("\0")))
        line = min(max(error.lineno or 1, 1), len(self.starts))
        column = min(max(error.offset or 1, 1), len(self.line(line)) + 1)
        message = (error.msg or "invalid syntax").strip()
        return engine_finding(SYNTAX_ERROR, self.path, message, Position(line, column))


def is_generated(source: SourceFile) -> bool:
    """True if a comment at the top of the file marks it as generated, so that a rewrite would be lost."""
    return "@generated" in source.text[:_HEADER] and bool(_GENERATED.search(source.text[:_HEADER]))


def display_path(path: str | os.PathLike[str]) -> str:
    """The path as reports show it: relative where it lies below the current folder, with forward slashes."""
    plain = Path(os.path.normpath(path))
    here = Path.cwd()
    return (plain.relative_to(here) if plain.is_relative_to(here) else plain).as_posix()


def too_deep(path: str) -> Finding:
    """The finding for a file whose nesting exhausts a parser."""
    message = "the code is nested too deeply to be analysed"
    return engine_finding(TOO_DEEP, path, message, help="split the expression or the nested blocks")


def _declared_encoding(data: bytes) -> str:
    try:
        return tokenize.detect_encoding(_first_lines(data))[0]
    except SyntaxError:
        data.decode()  # where the fault is not the declaration's, this error tells the place
        raise


def _first_lines(data: bytes) -> Callable[[], bytes]:
    """A readline for `detect_encoding` that ends lines as CPython does, at a lone \\r too."""
    lines = _BYTES_LINE.finditer(data)
    return lambda: next(lines).group()


def _unreadable(path: str, message: str) -> SourceError:
    return SourceError(engine_finding(UNREADABLE_FILE, path, message))


def _undecodable(path: str, error: UnicodeDecodeError) -> SourceError:
    before = error.object[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    place = Position(before.count(b"\n") + 1, 1)
    byte = error.object[error.start]
    message = f"the file cannot be decoded: byte 0x{byte:02x} is not valid {error.encoding}"
    hint = "save it as UTF-8, or name its encoding in a comment such as `# -*- coding: latin-1 -*-`"
    return SourceError(engine_finding(UNREADABLE_FILE, path, message, place, help=hint))
