"""The files of a run and what stands around them: all that must be known before the analysis."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.analysis.dependencies.partitions import ALONE
from qprep.analysis.symbols.parse_cache import ParsedFiles
from qprep.foundation.lru_store import LruStore
from qprep.foundation.regular_files import read_bytes
from qprep.foundation.source import SourceError, SourceFile, display_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qprep.analysis.dependencies.partitions import Around
    from qprep.analysis.symbols.module_summary import ModuleSummary
    from qprep.foundation.findings import Finding

KEPT_SOURCES = 16


class Files:
    """The files under analysis, read when needed; `overlay` gives bytes by displayed path instead of the disk's."""

    def __init__(self, overlay: Mapping[str, bytes], broken: Mapping[str, Finding] | None = None) -> None:
        self.overlay = overlay
        self._broken = broken or {}  # files that qprep fails on, with what to say of them
        self._kept: LruStore[Path, SourceFile] = LruStore(KEPT_SOURCES)

    def source(self, path: Path) -> SourceFile:
        """A file, decoded; raises SourceError."""
        return self._kept.find(path, lambda: self._read(path))

    def _read(self, path: Path) -> SourceFile:
        if self._broken and (finding := self._broken.get(display_path(path))) is not None:
            raise SourceError(finding)
        data = self.overlay.get(display_path(path))
        return SourceFile.read(path) if data is None else SourceFile.from_bytes(path, data)

    def data(self, path: Path) -> bytes:
        """A file's bytes; none where it cannot be read."""
        with suppress(OSError):
            data = self.overlay.get(display_path(path))
            return read_bytes(path) if data is None else data
        return b""

    def size(self, path: Path) -> int:
        """The number of bytes of a file; 0 if it cannot be read."""
        with suppress(OSError):
            data = self.overlay.get(display_path(path))
            return path.stat().st_size if data is None else len(data)
        return 0

    def text(self, path: Path) -> str | None:
        """A file's text; None if it cannot be read."""
        try:
            return self.source(path).text
        except SourceError:
            return None


@dataclass(frozen=True, slots=True)
class Setting:
    """The inputs of one analysis other than its files.

    around   what other files do to any object
    parsed   files that were parsed before
    summary  the names of modules
    broken   files that qprep failed on, by their path as reported, with what to say of them
    tell     called with the path of each file that is begun with
    context  files that are evaluated with the given ones, and neither reported nor changed
    notes_open_names  the result lists the names that other files of the project may use
    """

    around: Around = ALONE
    parsed: ParsedFiles = field(default_factory=ParsedFiles)
    summary: Callable[[str, Path], ModuleSummary | None] = lambda *_: None
    broken: Mapping[str, Finding] = field(default_factory=dict)
    tell: Callable[[str], None] = lambda _: None
    context: tuple[Path, ...] = ()
    notes_open_names: bool = False
