"""One file to be rewritten: its text, its tree, and the ways between both."""

from __future__ import annotations

import ast
import tokenize
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.symbols.ast_utils import children, walk

if TYPE_CHECKING:
    from qprep.analysis.places import Place
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.foundation.source import Located, SourceFile

_BLANK = " \t\f"


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """The surroundings of a node: one object for all nodes of a statement, so that long expressions cost their length.

    statement  the innermost statement; None for the statements of a file
    function   the outermost function, past closures, up to a class
    inner      the functions and lambdas in it that hold the node
    """

    statement: ast.stmt | None = None
    function: ast.FunctionDef | None = None
    inner: tuple[ast.FunctionDef | ast.Lambda, ...] = ()

    def within(self, node: ast.AST) -> _Surroundings:
        """The surroundings of the children of a node with these surroundings."""
        match node:
            case ast.ClassDef():
                return _Surroundings(node)
            case ast.FunctionDef() if self.function is None:
                return _Surroundings(node, node)
            case ast.FunctionDef():
                return replace(self, statement=node, inner=(*self.inner, node))
            case ast.Lambda() if self.function is not None:
                return replace(self, inner=(*self.inner, node))
            case ast.stmt():
                return replace(self, statement=node)
        return self


class _NodeTables(NamedTuple):
    """The expressions of a file by their places, and each node's parent and surroundings."""

    by_place: dict[tuple[int, ...], ast.AST]
    parents: dict[ast.AST, ast.AST]
    around: dict[ast.AST, _Surroundings]


class Code:
    """A parsed file with its nodes by place and their parents."""

    def __init__(self, source: SourceFile, index: FileIndex) -> None:
        self.source = source
        self.text = source.text
        self.index = index
        self.tree = index.tree
        self.module = index.name
        self.bindings: dict[ast.FunctionDef, dict[str, list[str | ast.expr | None]]] = {}  # filled by `callees`
        self._bound: dict[ast.FunctionDef, frozenset[str]] = {}

    @cached_property
    def comments(self) -> tuple[tuple[int, str], ...]:
        """The comments with their offsets, in order; none of a text that cannot be divided into tokens."""
        try:
            tokens = [token for token in self.source.tokens() if token.type == tokenize.COMMENT]
        except (tokenize.TokenError, SyntaxError):
            return ()
        starts = self.source.starts
        return tuple((starts[token.start[0] - 1] + token.start[1], token.string) for token in tokens)

    @cached_property
    def _nodes(self) -> _NodeTables:
        found = _NodeTables({}, {}, {})
        stack: list[tuple[ast.AST, _Surroundings]] = [(self.tree, _Surroundings())]
        while stack:
            node, around = stack.pop()
            for child in children(node):
                found.parents[child] = node
                found.around[child] = around
                stack.append((child, around.within(child)))
                if isinstance(child, ast.expr | ast.AugAssign) and child.end_lineno is not None:
                    key = (child.lineno, child.col_offset, child.end_lineno, child.end_col_offset or 0)
                    found.by_place.setdefault(key, child)
        return found

    @property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The parent of every node."""
        return self._nodes.parents

    def node(self, place: Place) -> ast.AST | None:
        """The expression or augmented assignment at a place."""
        return self._nodes.by_place.get((place.line, place.column, place.end_line, place.end_column))

    def span(self, node: Located) -> tuple[int, int]:
        """Offsets of a node's source, parentheses around it not included."""
        return self.source.span(node)

    def slice(self, node: Located) -> str:
        """The source of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that holds a node; raises KeyError for the file itself."""
        if isinstance(node, ast.stmt):
            return node
        statement = self._nodes.around[node].statement
        if statement is None:
            raise KeyError(node)
        return statement

    def function(self, node: ast.AST) -> ast.FunctionDef | None:
        """The outermost function or method around a node, past closures."""
        if isinstance(node, ast.ClassDef):
            return None
        around = self._nodes.around.get(node, _Surroundings())
        return around.within(node).function

    def functions_inside(self, node: ast.AST) -> tuple[ast.FunctionDef | ast.Lambda, ...]:
        """The functions and lambdas around a node, except for the outermost one of `function`."""
        return self._nodes.around[node].inner

    def bound_in(self, function: ast.FunctionDef) -> frozenset[str]:
        """The names that a function gives values, somewhere in it."""
        if function not in self._bound:
            names = (node for node in walk(function) if isinstance(node, ast.Name))
            self._bound[function] = frozenset(node.id for node in names if not isinstance(node.ctx, ast.Load))
        return self._bound[function]

    def line_start(self, offset: int) -> int:
        """The start of the line that holds `offset`."""
        line = self.source.position(offset).line
        return self.source.starts[line - 1]

    def next_line(self, lineno: int) -> int:
        """The start of the line after the 1-based `lineno`; the end of the text after the last one."""
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
        """The text of one level of indentation in this file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If | ast.For):
                inner, outer = self.indent_of(node.body[0]), self.indent_of(node)
                if len(inner) > len(outer) and inner.startswith(outer) and node.body[0].lineno > node.lineno:
                    return inner[len(outer) :]
        return "    "

    def skip_blank(self, offset: int, stops: str = "") -> int:
        """The next offset that is not white space, backslash, newline, comment or closing bracket in `stops`."""
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

    @property
    def newline(self) -> str:
        """The newline of the file."""
        return self.source.newline
