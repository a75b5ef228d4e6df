"""Divides the files of a run into parts that are analysed apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from qprep.analysis.dependencies.import_components import islands
from qprep.analysis.dependencies.partitions import (
    ALONE,
    UNIT_BYTES,
    ModuleSummaries,
    Neighbours,
    Partition,
    PartitionUnit,
    parts,
    units,
)
from qprep.analysis.symbols.module_resolver import Project
from qprep.analysis.symbols.module_summary import ModuleSummary, read_summary
from qprep.analysis.symbols.project_files import ExternalModule

Summarizing = Callable[[Iterable[Path]], Mapping[Path, ModuleSummary]]


class Reader(Protocol):
    """The source of the bytes and texts of files."""

    def data(self, path: Path) -> bytes:
        """A file's bytes; none where it cannot be read."""

    def text(self, path: Path) -> str | None:
        """A file's text; None if it cannot be read."""


class SummaryStore(Protocol):
    """Results of earlier runs."""

    def division(self, paths: Sequence[Path]) -> list[PartitionUnit] | None:
        """The partitions of these files in an earlier run."""

    def keep_division(
        self, paths: Sequence[Path], units: Iterable[PartitionUnit], asked: Mapping[str, ExternalModule]
    ) -> None:
        """Remember how files were divided."""

    def summaries(self, paths: Sequence[Path]) -> Callable[[str, Path], ModuleSummary | None]:
        """The summaries known of files with the contents that they have now."""

    def keep_summaries(self, paths: Sequence[Path], summaries: Iterable[tuple[str, Path, ModuleSummary]]) -> None:
        """Remember summaries."""

    def neighbours(self, parts: Sequence[Partition], files: Sequence[Path]) -> list[Neighbours] | None:
        """The neighbours that an earlier run found of some parts; `files` are all that are given, and the others."""

    def keep_neighbours(
        self,
        parts: Sequence[Partition],
        files: Sequence[Path],
        found: Sequence[Neighbours],
        asked: Mapping[str, ExternalModule],
    ) -> None:
        """Remember what is around parts."""


class ProjectSummaries:
    """Summaries of a project's modules by dotted name, made when they are needed; None if there is no file."""

    def __init__(
        self,
        paths: Sequence[Path],
        reader: Reader,
        store: SummaryStore | None = None,
        label: Sequence[Path] | None = None,
    ) -> None:
        self.project = Project(reader.text, paths)
        self.known: dict[str, ModuleSummary | None] = {}  # as their files have them
        self._linked: dict[str, ModuleSummary | None] = {}
        self._paths, self._read, self._store = (
            label or paths,
            reader.text,
            store,
        )  # `label`: what the store knows them by
        self._stored: Callable[[str, Path], ModuleSummary | None] | None = None
        self._is_new = False

    def get(self, name: str) -> ModuleSummary | None:
        """The summary of a module, with what it imports under the names of the project's modules."""
        name = self.project.canonical(name)
        if name not in self._linked:
            if name not in self.known:
                path = self.project.path(name)
                self.known[name] = self._summary(name, path) if path is not None else None
            known = self.known[name]
            self._linked[name] = self.project.link(name, known) if known is not None else None
        return self._linked[name]

    def read_ahead(self, summaries: Summarizing) -> None:
        """Read the summaries that no earlier run knows all at once; a file that is called as another one is, is not."""
        given = {name: path for name, path in self.project.given.items() if "@" not in name}
        self.known.update({name: known for name, path in given.items() if (known := self._recalled(name, path))})
        found = summaries(path for name, path in given.items() if name not in self.known)
        self.known.update({name: found[path] for name, path in given.items() if path in found})
        self._is_new = self._is_new or bool(found)

    def _recalled(self, name: str, path: Path) -> ModuleSummary | None:
        """The summary of a file, where an earlier run knew it."""
        if self._stored is None:
            self._stored = self._store.summaries(self._paths) if self._store is not None else lambda *_: None
        return self._stored(name, path)

    def _summary(self, name: str, path: Path) -> ModuleSummary | None:
        known = self._recalled(name, path)
        if known is not None:
            return known
        text = self._read(path)
        self._is_new = True
        return read_summary(name, path, text) if text is not None else None

    def beside(self) -> dict[str, ExternalModule]:
        """The modules other than the given ones of which only names were looked up."""
        return {name: ExternalModule(path, self.known.get(name)) for name, path in self.project.asked.items()}

    def keep(self) -> None:
        """Remember what had to be read."""
        if self._store is not None and self._is_new:
            found = ((n, self.project.path(n), summary) for n, summary in self.known.items() if summary is not None)
            self._store.keep_summaries(self._paths, [(n, path, o) for n, path, o in found if path is not None])


@dataclass(frozen=True, slots=True)
class Division:
    """The parts of one island, and the names of its modules where it has several parts."""

    paths: tuple[Path, ...]
    parts: tuple[Partition, ...]
    names: ProjectSummaries | None

    def summary(self, name: str, path: Path) -> ModuleSummary | None:
        """The names of a module in a file; None if they are not known, which costs time and nothing else."""
        if self.names is None or self.names.project.path(name) != path:
            return None
        return self.names.get(name)


def divide(
    paths: Sequence[Path], reader: Reader, store: SummaryStore | None = None, summaries: Summarizing | None = None
) -> list[Division]:
    """The given files in parts; a few files of one package or folder stay together.

    `summaries` reads those of many files at once; without it they are read as they are needed.
    """
    return [_divide_island(island, reader, store, summaries) for island in islands(paths, reader.data)]


def whole(paths: Sequence[Path]) -> list[Division]:
    """All files as one part: where the run of a model may go through any of them."""
    return [Division(tuple(paths), (Partition(tuple(paths), ALONE),), None)]


def _divide_island(
    paths: Sequence[Path], reader: Reader, store: SummaryStore | None, summaries: Summarizing | None
) -> Division:
    size = {path: len(reader.data(path)) for path in paths}
    if sum(size.values()) <= UNIT_BYTES:
        return whole(paths)[0]
    names = ProjectSummaries(paths, reader, store)
    given = names.project.given
    divided = store.division(paths) if store is not None else None
    if divided is None:
        if summaries is not None:
            names.read_ahead(summaries)
        divided = units(
            given,
            ModuleSummaries(given, names.get, names.project.canonical),
            {name: size[path] for name, path in given.items()},
        )
        names.keep()
        if store is not None:
            store.keep_division(paths, divided, names.beside())
    return Division(tuple(paths), parts(given, divided), names)
