"""The definition of a file's top level that a node is in."""

from __future__ import annotations

import ast
import bisect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qprep.analysis.symbols.symbol_table import FileIndex


class TopLevelSpans:
    """The functions, classes and values of a file's top level, by the lines that they cover."""

    def __init__(self, index: FileIndex) -> None:
        classes = {name: entry.node for name, entry in index.classes.items() if not entry.around and "." not in name}
        nodes: dict[str, ast.stmt | ast.expr] = {**index.values, **index.functions, **classes}
        found = ((_first_line(node), node.end_lineno or node.lineno, name) for name, node in nodes.items())
        self._spans = sorted(found)
        self._starts = [start for start, _, _ in self._spans]
        self._nodes = frozenset(nodes.values())

    def of(self, node: ast.expr | ast.stmt | ast.arg) -> str | None:
        """The name of the definition that a node is in; None at the top level, and for a definition itself."""
        position = bisect.bisect_right(self._starts, node.lineno) - 1
        if position < 0 or node in self._nodes:
            return None
        _, end, name = self._spans[position]
        return name if node.lineno <= end else None


def _first_line(node: ast.stmt | ast.expr) -> int:
    """The line on which a definition begins: that of its first decorator."""
    return min((each.lineno for each in getattr(node, "decorator_list", ())), default=node.lineno)
