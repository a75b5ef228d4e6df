"""From a frame's instruction to the expression in the source that it evaluates."""

from __future__ import annotations

import ast
import linecache
import os
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

from qprep.tracing.trace_values import TracePlace

_Range = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a code object, at byte offset `lasti`."""

    code: CodeType
    lasti: int


class Places:
    """Finds the places of instructions; every file is read and parsed once."""

    def __init__(self) -> None:
        self._positions: dict[int, list[tuple[int | None, int | None, int | None, int | None]]] = {}
        self._files: dict[str, _Source] = {}

    def of(self, instruction: Instruction) -> TracePlace:
        """The expression of `instruction`, at the range that its syntax node has."""
        code = instruction.code
        if id(code) not in self._positions:
            self._positions[id(code)] = list(code.co_positions())
        line, end_line, column, end_column = self._positions[id(code)][instruction.lasti // 2]
        path = _absolute(code.co_filename)
        lineno = line or code.co_firstlineno
        if line is None or end_line is None or column is None or end_column is None:
            return TracePlace(path, lineno, 0, lineno, 0, lineno)
        if code.co_filename not in self._files:
            self._files[code.co_filename] = _Source(code.co_filename)
        source = self._files[code.co_filename]
        node = source.expression((line, column, end_line, end_column))
        return TracePlace(
            path,
            node[0],
            source.code_points(node[0], node[1]) + 1,
            node[2],
            source.code_points(node[2], node[3]) + 1,
            lineno,
        )


class _Source:
    """The text of one file, parsed when first needed."""

    def __init__(self, filename: str) -> None:
        linecache.checkcache(filename)  # a notebook's user edits files between traces
        self._lines = linecache.getlines(filename)
        self._calls: dict[tuple[int, int], _Range] | None = None

    def code_points(self, line: int, column: int) -> int:
        """Code points before the UTF-8 byte `column` of a 1-based line; `column` itself where the text is unknown."""
        if not 0 < line <= len(self._lines):
            return column
        return len(self._lines[line - 1].encode()[:column].decode(errors="replace"))

    def expression(self, found: _Range) -> _Range:
        """The interpreter places the call of a method at its name; a syntax node begins with the receiver."""
        if self._calls is None:
            self._calls = {node[2:]: node for node in _calls("".join(self._lines))}
        call = self._calls.get(found[2:], found)
        return min(call, found)  # what merely ends with a call, as in x + f(y), begins before it


def _calls(text: str) -> Iterator[_Range]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):  # the file changed since it was imported, or is no Python
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.end_lineno is not None and node.end_col_offset is not None:
            yield node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _absolute(filename: str) -> str:
    return filename if filename.startswith("<") else os.path.abspath(filename)
