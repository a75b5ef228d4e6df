"""The cache of parsed files."""

from __future__ import annotations

import ast
import os
import warnings
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from qprep.analysis.symbols.ast_utils import without_async
from qprep.analysis.symbols.method_forms import with_written_out_methods
from qprep.analysis.symbols.private_names import with_private_names
from qprep.analysis.symbols.symbol_table import build_index
from qprep.foundation.lru_store import LruStore

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
    """Parsed files, shared by the projects of a run; beyond a budget the least recently used are dropped.

    A file that something else still holds is found again, so that all parts of an analysis see one tree of it.
    """

    def __init__(self) -> None:
        self._kept: LruStore[Mark, FileIndex] = LruStore(CACHE_BYTES, lambda mark: mark.size)
        self._alive: WeakValueDictionary[Mark, FileIndex] = WeakValueDictionary()

    def get(self, mark: Mark) -> FileIndex | None:
        """The index of a file, where it is held."""
        return self._kept.get(mark) or self._alive.get(mark)

    def parse(self, mark: Mark, text: str, link: Callable[[str], str]) -> FileIndex | None:
        """The index of a file with this text; None if it cannot be parsed. `link` as in `build_index`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = without_async(ast.parse(text)) if "async" in text else ast.parse(text)
                tree = with_written_out_methods(with_private_names(tree, text), text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        index = build_index(mark.name, mark.path, os.path.basename(mark.path) == "__init__.py", tree, link)
        self._kept.put(mark, index)
        self._alive[mark] = index
        return index
