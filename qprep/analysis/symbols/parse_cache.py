"""The cache of parsed files."""

from __future__ import annotations

import ast
import os
import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.symbols.ast_utils import without_async
from qprep.analysis.symbols.symbol_table import build_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from qprep.analysis.symbols.symbol_table import FileIndex

CACHE_BYTES = 6_000_000  # source kept parsed at a time; beyond it the least recently used file is parsed again


class Mark(NamedTuple):
    """The identity of a parsed file: two projects may know one module with different texts."""

    name: str
    path: str
    size: int
    text: int  # the text's hash


class ParsedFiles:
    """Parsed files, shared by the projects of a run; beyond a budget the least recently used are dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Mark, FileIndex] = OrderedDict()
        self._held = 0

    def get(self, mark: Mark) -> FileIndex | None:
        """The index of a file, where it is held."""
        if mark in self._kept:
            self._kept.move_to_end(mark)
        return self._kept.get(mark)

    def parse(self, mark: Mark, text: str, link: Callable[[str], str]) -> FileIndex | None:
        """The index of a file with this text; None if it cannot be parsed. `link` as in `build_index`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = without_async(ast.parse(text)) if "async" in text else ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        index = build_index(mark.name, mark.path, os.path.basename(mark.path) == "__init__.py", tree, link)
        self._held += mark.size
        self._kept[mark] = index
        while self._held > CACHE_BYTES and len(self._kept) > 1:
            self._held -= self._kept.popitem(last=False)[0].size
        return index
