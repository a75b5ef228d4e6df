"""Divides the files of a run into parts that are looked at apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from qprep.project.islands import islands
from qprep.project.outline import Outline, read_outline
from qprep.project.project import Project
from qprep.project.units import ALONE, UNIT_BYTES, Outlines, Part, parts


class Reader(Protocol):
    """Where the bytes and texts of files come from."""

    def data(self, path: Path) -> bytes:
        """A file's bytes; none where it cannot be read."""

    def text(self, path: Path) -> str | None:
        """A file's text; None where it cannot be read."""


@dataclass(slots=True)
class Names:
    """Outlines of a project's modules by dotted name, made when they are asked for; None where there is no file."""

    project: Project
    read: Callable[[Path], str | None]
    known: dict[str, Outline | None] = field(default_factory=dict)

    def get(self, name: str) -> Outline | None:
        """The outline of a module."""
        if name not in self.known:
            path = self.project.path(name)
            text = self.read(path) if path is not None else None
            if path is None or text is None:
                self.known[name] = None
            else:
                self.known[name] = read_outline(name, text, is_package=path.name == "__init__.py")
        return self.known[name]


@dataclass(frozen=True, slots=True)
class Division:
    """The parts of one island, and the names of its modules where they had to be read."""

    parts: tuple[Part, ...]
    outline: Callable[[str], Outline | None]


def divide(paths: Sequence[Path], reader: Reader) -> list[Division]:
    """The given files in parts; a few files of one package or folder stay together."""
    return [_divide_island(island, reader) for island in islands(paths, reader.data)]


def whole(paths: Sequence[Path]) -> list[Division]:
    """All files as one part: where the run of a model may go through any of them."""
    return [Division((Part(tuple(paths), 0, ALONE),), _unknown)]


def _divide_island(paths: Sequence[Path], reader: Reader) -> Division:
    size = {path: len(reader.data(path)) for path in paths}
    if sum(size.values()) <= UNIT_BYTES:
        return Division((Part(tuple(paths), sum(size.values()), ALONE),), _unknown)
    project = Project(reader.text, paths)
    names = Names(project, reader.text)
    sizes = {name: size[path] for name, path in project.given.items()}
    return Division(tuple(parts(project.given, Outlines(project.given, names.get), sizes)), names.get)


def _unknown(_: str) -> None:
    """Nothing was read."""
