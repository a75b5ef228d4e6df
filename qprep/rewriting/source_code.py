"""One file to be rewritten: its text, its tree, and the ways between both."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import children

if TYPE_CHECKING:
    from qprep.analysis.places import Place
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.foundation.source import Located, SourceFile

_BLANK = " \t\f"


class Code:
    """A parsed file with its nodes by place and their parents."""

    def __init__(self, source: SourceFile, index: FileIndex) -> None:
        self.source = source
        self.text = source.text
        self.index = index
        self.tree = index.tree
        self.module = index.name
        self.bindings: dict[ast.FunctionDef, dict[str, list[str | ast.expr | None]]] = {}  # filled by `callees`

    @cached_property
    def _nodes(self) -> tuple[dict[tuple[int, ...], ast.AST], dict[ast.AST, ast.AST]]:
        nodes: dict[tuple[int, ...], ast.AST] = {}
        parents: dict[ast.AST, ast.AST] = {}
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            for child in children(node):
                parents[child] = node
                stack.append(child)
                if isinstance(child, ast.expr | ast.AugAssign) and child.end_lineno is not None:
                    key = (child.lineno, child.col_offset, child.end_lineno, child.end_col_offset or 0)
                    nodes.setdefault(key, child)
        return nodes, parents

    @property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The parent of every node."""
        return self._nodes[1]

    def node(self, place: Place) -> ast.AST | None:
        """The expression or augmented assignment at a place."""
        return self._nodes[0].get((place.line, place.column, place.end_line, place.end_column))

    def span(self, node: Located) -> tuple[int, int]:
        """Offsets of a node's source, parentheses around it not included."""
        return self.source.span(node)

    def slice(self, node: Located) -> str:
        """The source of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that holds a node."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def function(self, node: ast.AST) -> ast.FunctionDef | None:
        """The outermost function or method around a node, closures looked through."""
        found: ast.FunctionDef | None = None
        current: ast.AST | None = node
        while current is not None and not isinstance(current, ast.ClassDef):
            if isinstance(current, ast.FunctionDef):
                found = current
            current = self.parents.get(current)
        return found

    def line_start(self, offset: int) -> int:
        """Where the line that holds `offset` starts."""
        line = self.source.position(offset).line
        return self.source.starts[line - 1]

    def next_line(self, lineno: int) -> int:
        """Where the line after the 1-based `lineno` starts; the end of the text after the last one."""
        starts = self.source.starts
        return starts[lineno] if lineno < len(starts) else len(self.text)

    def indent_of(self, node: ast.stmt) -> str:
        """The white space in front of a statement's line."""
        start = self.source.starts[node.lineno - 1]
        end = start
        while end < len(self.text) and self.text[end] in _BLANK:
            end += 1
        return self.text[start:end]

    def is_alone_on_line(self, node: ast.stmt) -> bool:
        """True if a statement shares its lines with no other: no semicolon, no one-line body."""
        start, end = self.span(node)
        before = self.text[self.line_start(start) : start]
        line = self.source.position(end).line
        after = self.text[end : self.next_line(line)].strip()
        return not before.strip(_BLANK) and (not after or after.startswith("#"))

    @cached_property
    def indent_unit(self) -> str:
        """What one level of indentation is in this file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If | ast.For):
                inner, outer = self.indent_of(node.body[0]), self.indent_of(node)
                if len(inner) > len(outer) and inner.startswith(outer) and node.body[0].lineno > node.lineno:
                    return inner[len(outer) :]
        return "    "

    def skip_blank(self, offset: int, stops: str = "") -> int:
        """The next offset that is no white space, backslash, newline, comment or closing bracket in `stops`."""
        while offset < len(self.text):
            character = self.text[offset]
            if character == "#":
                while offset < len(self.text) and self.text[offset] not in "\r\n":
                    offset += 1
            elif character in " \t\f\r\n\\" or character in stops:
                offset += 1
            else:
                break
        return offset

    def outer_end(self, node: ast.expr, limit: int) -> int:
        """Behind the closing parentheses that follow a node before `limit`."""
        end = self.span(node)[1]
        found = end
        offset = end
        while offset < limit:
            offset = self.skip_blank(offset)
            if offset >= limit or self.text[offset] != ")":
                break
            offset += 1
            found = offset
        return found

    @property
    def newline(self) -> str:
        """The newline of the file."""
        return self.source.newline
