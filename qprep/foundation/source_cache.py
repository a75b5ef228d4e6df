"""The sources that findings point into, read once and kept for as long as a report needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from qprep.foundation.findings import Edit, Finding, Fix, Position
from qprep.foundation.lru_store import LruStore
from qprep.foundation.notebook import SUFFIX, shown_path, split_shown
from qprep.foundation.source import SourceError, SourceFile

_KEPT = 8  # findings come sorted by path: a few files at hand are enough, whatever the size of the tree


@dataclass(slots=True)
class Sources:
    """Reads files as renderers need them; `overlay` holds bytes by path that are not on disk (or not yet)."""

    overlay: Mapping[str, bytes] = field(default_factory=dict)
    _cache: LruStore[str, SourceFile | None] = field(default_factory=lambda: LruStore(_KEPT), init=False, repr=False)

    def get(self, path: str) -> SourceFile | None:
        """A file by its path as reported; None if it cannot be read, which then is itself a finding."""
        return self._cache.find(path, lambda: self._read(path))

    def in_cell(self, finding: Finding) -> Finding:
        """A finding in a notebook, placed in its cell: `model.ipynb:cell 3`, lines counted from the cell's first."""
        source = self.get(finding.path) if finding.path.endswith(SUFFIX) else None
        if source is None or source.notebook is None:
            return finding
        cell, before = source.notebook.locate(finding.start.line)
        start, end = finding.start, finding.end
        return replace(
            finding,
            path=shown_path(finding.path, cell),
            start=Position(max(start.line - before, 1), start.column),
            end=Position(max(end.line - before, 1), end.column),
            statement=(finding.statement[0] - before, finding.statement[1] - before),
            fix=self._fix_in_cells(finding.fix) if isinstance(finding.fix, Fix) else finding.fix,
        )

    def _fix_in_cells(self, fix: Fix) -> Fix:
        edits: list[Edit] = []
        for edit in fix.edits:
            source = self.get(edit.path)
            if source is not None and source.notebook is not None:
                cell, start = source.notebook.cell_at(edit.start)
                moved = (max(edit.start - start, 0), max(edit.end - start, 0))
                edits.append(Edit(shown_path(edit.path, cell), *moved, edit.content))
            else:
                edits.append(edit)
        return replace(fix, edits=tuple(edits))

    def _read(self, path: str) -> SourceFile | None:
        file, cell = split_shown(path)
        if cell is not None:
            whole = self.get(file)
            text = whole.notebook.cell_text(cell) if whole is not None and whole.notebook is not None else ""
            return SourceFile(path, text.encode(), text, "utf-8", False)
        try:
            data = self.overlay.get(path)
            return SourceFile.read(path) if data is None else SourceFile.from_bytes(path, data)
        except SourceError:
            return None
