"""Places in source, and the owners of code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ast


class Place(NamedTuple):
    """An expression: module name and the positions that `ast` gives (1-based line, 0-based UTF-8 column)."""

    module: str
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, module: str, node: ast.expr | ast.stmt) -> Place:
        """The place of a node of a module."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return cls(module, node.lineno, node.col_offset, end_line, end_column)


class Unit(NamedTuple):
    """The owner of operations: a class (its methods run on self), or a function outside classes."""

    module: str
    name: str
    is_class: bool
