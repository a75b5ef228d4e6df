"""Files by dotted names, as Python finds them: in packages, in folders without `__init__.py`, next to a script.

A module has one name here, that of `module_name`; an import may call it by a longer or a shorter one, as its
importer is run: `models.base` for a file of the folder `models` without an `__init__.py`, `ops` for a file next to it.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from qprep.analysis.symbols.folder_names import FolderNames

INSTALLED = frozenset(("site-packages", "dist-packages"))  # folders of packages that have nothing to do with each other
_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")


def module_name(path: Path) -> tuple[str, Path]:
    """The dotted name of a file and the folder that its package lies in."""
    path = path.absolute()
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or path.parent.name, folder


def project_root(folder: Path) -> Path | None:
    """The closest folder at or above one that a project's files stand in; None if there is none.

    An installed package belongs to no project, also where an environment lies in a project's folder.
    """
    for above in (folder, *folder.parents):
        if above.name in INSTALLED:
            return None
        if any(map(os.path.exists, _marks(above))):
            return above
    return None


def _marks(folder: Path) -> Iterator[str]:
    return (os.path.join(folder, mark) for mark in _MARKS)


OWN_PACKAGE = "qprep"


class ImportLinks:
    """Finds the files of dotted names among folders; `name_of` gives the name of a file."""

    def __init__(self, paths: Iterable[Path], name_of: Callable[[Path], str]) -> None:
        self._homes: dict[Path, Path] = {}  # the folder that each given file's package lies in
        self._tops: set[str] = set()  # the first names of the given files
        for path in paths:
            name, home = module_name(path)
            self._homes.setdefault(path.absolute().parent, home)
            self._tops.add(name.partition(".")[0])
        self._name_of = name_of
        self.folder_names = FolderNames()
        self._linkers: dict[Path, Callable[[str], str]] = {}  # by the importer's folder
        self._present: dict[str, bool] = {}
        self._located: dict[tuple[str, str], tuple[Path, int] | None] = {}
        self._steps: dict[str, _ImportStep] = {}  # what there is on disk of each name below a folder

    @cached_property
    def above(self) -> tuple[Path, ...]:
        """Folders at and above those of the packages that may be on Python's path, and their `src` folders.

        They reach to the project's root, or, without one, to the folder that holds all the given files.
        """
        homes = dict.fromkeys(self._homes.values())
        shared = Path(os.path.commonpath(homes)) if homes else None
        found: dict[Path, None] = {}
        for home in homes:
            top = project_root(home) or shared
            folders = [home, *home.parents] if top is not None else []
            within = [folder for folder in folders if folder == top or top in folder.parents] if top else []
            found.update(dict.fromkeys(within))
            found.update((folder / "src", None) for folder in within if (folder / "src").is_dir())
        return tuple(found)

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders that names are looked for in."""
        return tuple(dict.fromkeys((*self._homes.values(), *self.above, *self._homes)))

    def linker(self, importer: Path) -> Callable[[str], str]:
        """Gives the name under which the project knows what a file imports, or the same text where it does not.

        Leading dots are those of a relative import that leaves the regular packages of the file: one dot for the folder
        that its package lies in, two for the folder above.
        """
        beside = importer.absolute().parent
        if beside not in self._linkers:
            self._linkers[beside] = _Linker(weakref.ref(self), beside, self._home(beside))
        return self._linkers[beside]

    def renamed(self, beside: Path, home: Path, dotted: str) -> str:
        """The answer of `linker` for a file of the folder `beside`, whose package lies in `home`."""
        name = dotted.lstrip(".")
        if level := len(dotted) - len(name):
            return self._renamed([home, *home.parents][level - 1 : level], name) or name
        first = name.partition(".")[0]
        if home == beside:  # a script, or a file of a namespace package
            return self._renamed([home, *self.above], name) or name
        if self._is_there(home, first):
            return name
        near = [] if first in sys.stdlib_module_names else [beside]
        return self._renamed([*self.above, *near], name) or name

    def find(self, dotted: str) -> Path | None:
        """The file of a dotted name in the folders above the packages; None if there is none."""
        located = next((found for folder in self.above if (found := self._locate(folder, dotted)) is not None), None)
        return located[0] if located is not None and located[1] == dotted.count(".") + 1 else None

    def _home(self, folder: Path) -> Path:
        if folder not in self._homes:
            return module_name(folder / "module.py")[1]
        return self._homes[folder]

    def _renamed(self, folders: Iterable[Path], name: str) -> str | None:
        """The name with its beginning, as far as it is a file's, replaced by that file's own name."""
        for folder in folders:
            located = self._locate(folder, name)
            if located is not None:
                path, length = located
                return ".".join([self._name_of(path), *name.split(".")[length:]])
        return None

    def _locate(self, folder: Path, dotted: str) -> tuple[Path, int] | None:
        """The file that the longest beginning of a dotted name leads to, and how many parts that takes."""
        key = (str(folder), dotted)
        if key not in self._located:
            is_project = self._is_there(folder, dotted) and not self._is_installed(folder, dotted)
            self._located[key] = self._longest(str(folder), dotted.split(".")) if is_project else None
        return self._located[key]

    def _longest(self, folder: str, parts: list[str]) -> tuple[Path, int] | None:
        found: tuple[Path, int] | None = None
        for length, part in enumerate(parts, start=1):
            if not part.isidentifier():
                return found
            stem = os.path.join(folder, part)
            if stem not in self._steps:
                self._steps[stem] = _step(stem) if self.folder_names.may_hold(folder, [part]) else _NOWHERE
            path, leads_on = self._steps[stem]
            found = (path, length) if path is not None else found
            if not leads_on:
                return found
            folder = stem
        return found

    def _is_installed(self, folder: Path, dotted: str) -> bool:
        """True if a name belongs to another package that is installed next to the given ones, or to qprep itself."""
        top = dotted.partition(".")[0]
        return top not in self._tops and (folder.name in INSTALLED or top == OWN_PACKAGE)

    def _is_there(self, folder: Path, dotted: str) -> bool:
        first = dotted.partition(".")[0]
        stem = os.path.join(str(folder), first)
        if stem not in self._present:
            is_named = self.folder_names.may_hold(str(folder), [first])
            self._present[stem] = is_named and (os.path.isdir(stem) or os.path.isfile(f"{stem}.py"))
        return self._present[stem]


@dataclass(slots=True)
class _Linker:
    """The names for the files of one folder; parsed files that hold it keep nothing of the project alive."""

    links: weakref.ref[ImportLinks]
    beside: Path
    home: Path
    known: dict[str, str] = field(default_factory=dict)

    def __call__(self, dotted: str) -> str:
        if dotted not in self.known:
            links = self.links()
            if links is None:
                return dotted
            self.known[dotted] = links.renamed(self.beside, self.home, dotted)
        return self.known[dotted]


class _ImportStep(NamedTuple):
    """The file that a name leads to, if there is one, and whether it is a folder, which further names may be in."""

    path: Path | None
    leads_on: bool


_NOWHERE = _ImportStep(None, False)


def _step(stem: str) -> _ImportStep:
    if os.path.isfile(package := os.path.join(stem, "__init__.py")):
        return _ImportStep(Path(package), True)
    if os.path.isfile(f"{stem}.py"):
        return _ImportStep(Path(f"{stem}.py"), False)
    return _ImportStep(None, os.path.isdir(stem))
