"""Memory of a long-lived process between analyses, by the contents of files: summaries and parsed files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qprep.analysis.dependencies.partitions import Neighbours, Partition, PartitionUnit
from qprep.analysis.inputs import Files
from qprep.analysis.symbols.module_summary import ModuleSummary
from qprep.analysis.symbols.parse_cache import ParsedFiles
from qprep.analysis.symbols.project_files import ExternalModule

_Key = tuple[str, Path]


@dataclass(slots=True)
class HeldState:
    """One for the life of a server; unlike a cache on disk it may hold what unsaved texts say."""

    parsed: ParsedFiles = field(default_factory=ParsedFiles)
    _summaries: dict[_Key, tuple[bytes, ModuleSummary]] = field(default_factory=dict)

    def store(self, overlay: Mapping[str, bytes]) -> HeldSummaries:
        """The summaries, as they hold for the contents of files with this overlay."""
        return HeldSummaries(self._summaries, Files(overlay))


@dataclass(frozen=True, slots=True)
class HeldSummaries:
    """A `Store` of summaries alone: how files are divided is worked out anew."""

    _known: dict[_Key, tuple[bytes, ModuleSummary]]
    _files: Files
    _digests: dict[Path, bytes] = field(default_factory=dict)

    def division(self, _paths: Sequence[Path]) -> list[PartitionUnit] | None:
        """Nothing is known of divisions."""
        return None

    def keep_division(
        self, paths: Sequence[Path], units: Iterable[PartitionUnit], asked: Mapping[str, ExternalModule]
    ) -> None:
        """Nothing is kept of divisions."""

    def neighbours(self, _parts: Sequence[Partition], _files: Sequence[Path]) -> list[Neighbours] | None:
        """Nothing is known of what is around parts."""
        return None

    def keep_neighbours(
        self,
        parts: Sequence[Partition],
        files: Sequence[Path],
        found: Sequence[Neighbours],
        asked: Mapping[str, ExternalModule],
    ) -> None:
        """Nothing is kept of what is around parts."""

    def summaries(self, _paths: Sequence[Path]) -> Callable[[str, Path], ModuleSummary | None]:
        """The summaries known of files with the contents that they have now."""

        def known(name: str, path: Path) -> ModuleSummary | None:
            digest, summary = self._known.get((name, path), (b"", None))
            return summary if summary is not None and digest == self._digest(path) else None

        return known

    def keep_summaries(self, _paths: Sequence[Path], summaries: Iterable[tuple[str, Path, ModuleSummary]]) -> None:
        """Remember summaries."""
        self._known.update({(name, path): (self._digest(path), summary) for name, path, summary in summaries})

    def _digest(self, path: Path) -> bytes:
        if path not in self._digests:
            self._digests[path] = hashlib.blake2b(self._files.data(path), digest_size=16).digest()
        return self._digests[path]
