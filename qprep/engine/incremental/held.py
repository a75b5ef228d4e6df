"""Memory of a long-lived process between analyses, by the contents of files: summaries and parsed files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qprep.analysis.dependencies.partitions import PartitionUnit
from qprep.analysis.inputs import Files
from qprep.analysis.symbols.module_summary import Outline
from qprep.analysis.symbols.parse_cache import ParsedFiles
from qprep.analysis.symbols.project_files import ExternalModule

_Key = tuple[str, Path]


@dataclass(slots=True)
class HeldState:
    """One for the life of a server; unlike a cache on disk it may hold what unsaved texts say."""

    parsed: ParsedFiles = field(default_factory=ParsedFiles)
    _outlines: dict[_Key, tuple[bytes, Outline]] = field(default_factory=dict)

    def store(self, overlay: Mapping[str, bytes]) -> HeldOutlines:
        """The outlines, as they hold for the contents of files with this overlay."""
        return HeldOutlines(self._outlines, Files(overlay))


@dataclass(frozen=True, slots=True)
class HeldOutlines:
    """A `Store` of outlines alone: how files are divided is worked out anew."""

    _known: dict[_Key, tuple[bytes, Outline]]
    _files: Files
    _digests: dict[Path, bytes] = field(default_factory=dict)

    def division(self, _paths: Sequence[Path]) -> list[PartitionUnit] | None:
        """Nothing is known of divisions."""
        return None

    def keep_division(
        self, paths: Sequence[Path], units: Iterable[PartitionUnit], asked: Mapping[str, ExternalModule]
    ) -> None:
        """Nothing is kept of divisions."""

    def outlines(self, _paths: Sequence[Path]) -> Callable[[str, Path], Outline | None]:
        """The outlines known of files with the contents that they have now."""

        def known(name: str, path: Path) -> Outline | None:
            digest, outline = self._known.get((name, path), (b"", None))
            return outline if outline is not None and digest == self._digest(path) else None

        return known

    def keep_outlines(self, _paths: Sequence[Path], outlines: Iterable[tuple[str, Path, Outline]]) -> None:
        """Remember outlines."""
        self._known.update({(name, path): (self._digest(path), outline) for name, path, outline in outlines})

    def _digest(self, path: Path) -> bytes:
        if path not in self._digests:
            self._digests[path] = hashlib.blake2b(self._files.data(path), digest_size=16).digest()
        return self._digests[path]
