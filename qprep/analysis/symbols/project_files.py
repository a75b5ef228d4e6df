"""The files under analysis by the names of their modules, parsed as they are needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.symbols.import_links import OWN_PACKAGE, ImportLinks, module_name
from qprep.analysis.symbols.module_summary import surface_of
from qprep.analysis.symbols.parse_cache import Mark, ParsedFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qprep.analysis.symbols.module_summary import ModuleSummary
    from qprep.analysis.symbols.symbol_table import FileIndex


class ExternalModule(NamedTuple):
    """A module other than the given ones that was looked up: its file, and its names if nothing else was needed."""

    path: Path | None
    names: ModuleSummary | None = None


class ProjectFiles:
    """Parsed files by dotted name: those given, and those of their packages as they are needed.

    `summary` gives a module's names without the cost of holding it parsed; None if it does not know the module.
    """

    def __init__(
        self,
        read: Callable[[Path], str | None],
        paths: Iterable[Path],
        parsed: ParsedFiles | None = None,
        summary: Callable[[str, Path], ModuleSummary | None] = lambda *_: None,
    ) -> None:
        self._read = read
        self._parsed = parsed or ParsedFiles()
        self._summary = summary
        self._paths: dict[str, Path] = {}
        self._roots: dict[Path, None] = {}
        self._missing: set[str] = set()
        self._tops: frozenset[str] | None = None
        self._marks: dict[str, Mark] = {}
        self._surfaces: dict[str, ModuleSummary | None] = {}
        self.asked: dict[str, Path | None] = {}  # modules beside the given ones that were looked for, and their files
        self._read_whole: set[str] = set()
        self.given: dict[str, Path] = {}
        listed = list(paths)
        for path in listed:
            name, root = module_name(path)
            if name in self.given:  # two scripts of one name in different folders
                name = f"{name}@{path.absolute()}"
            self.given[name] = self._paths[name] = path
            self._roots[root] = None
        self._links = ImportLinks(listed, self._name_of)
        self._names = {os.path.abspath(path): name for name, path in self.given.items()}
        self._canonical: dict[str, str] = {}
        self._summaries: dict[str, ModuleSummary | None] = {}

    def index(self, name: str) -> FileIndex | None:
        """The index of the module called `name`, or None if it is not part of the project."""
        name = self.canonical(name)
        if name in self._missing:
            return None
        if name in self._marks and (known := self._parsed.get(self._marks[name])) is not None:
            return known
        path = self.path(name)
        text = self.text(name) if path is not None else None
        index = None
        if path is not None and text is not None:
            mark = self._marks[name] = Mark(name, str(path), len(text), hash(text))
            link = self._links.linker(path)
            index = self._parsed.get(mark) or self._parsed.parse(mark, text, link)
            if index is not None:
                index.link = link  # it may have been parsed for a project that is gone
        if index is None:
            self._missing.add(name)
        return index

    def beside(self) -> dict[str, ExternalModule]:
        """The modules other than the given ones that were looked up so far."""
        read, names = self._read_whole, self._surfaces
        return {
            name: ExternalModule(path, None if name in read else names.get(name)) for name, path in self.asked.items()
        }

    def canonical(self, name: str) -> str:
        """The one name of a module, for any name that Python finds it under; else the same text."""
        if name not in self._canonical:
            self._canonical[name] = name
            if self.path(name) is None and (found := self._links.find(name)) is not None:
                self._canonical[name] = self._name_of(found)
        return self._canonical[name]

    def link(self, name: str, summary: ModuleSummary) -> ModuleSummary:
        """The summary of a module, with what it imports under the names of this project's modules."""
        path = self.path(name)
        return summary.linked(self._links.linker(path)) if path is not None else summary

    def _name_of(self, path: Path) -> str:
        """The name of a file; it is part of the project from now on."""
        full = os.path.abspath(path)
        if full not in self._names:
            name = module_name(path)[0]
            if name in self._paths and os.path.abspath(self._paths[name]) != full:
                name = f"{name}@{full}"
            self._names[full] = name
            self._paths[name] = self.asked[name] = path
        return self._names[full]

    def is_missing(self, name: str) -> bool:
        """True if the module called `name` was looked up, and could not be read or parsed."""
        return name in self._missing

    def path(self, name: str) -> Path | None:
        """The file of a module of the project. qprep's own modules are another package's, but where they are given."""
        if name.partition(".")[0] == OWN_PACKAGE and OWN_PACKAGE not in self.tops:
            return None
        if name not in self._paths and name not in self.asked:
            self.asked[name] = self._find(name)
        return self._paths.get(name)

    def imported(self, name: str) -> Path | None:
        """The file that an import of a name finds, in a folder above the packages of the given files, too."""
        return self.path(self.canonical(name))

    def summary(self, name: str) -> ModuleSummary | None:
        """All that others may want to know of a module, where it is known without parsing it."""
        name = self.canonical(name)
        if name not in self._summaries:
            path = self.path(name)
            known = self._summary(name, path) if path is not None else None
            self._summaries[name] = self.link(name, known) if known is not None else None
        return self._summaries[name]

    def surface(self, name: str) -> ModuleSummary | None:
        """The names of a module, held for as long as the project: the parsed file may be dropped."""
        name = self.canonical(name)
        if name not in self._surfaces:
            known = self.summary(name)
            if known is None and (index := self.index(name)) is not None:
                known = surface_of(index)
            self._surfaces[name] = known
        return self._surfaces[name]

    def text(self, name: str) -> str | None:
        """The source of a module, where it can be read."""
        path = self._paths.get(name)
        self._read_whole.add(name)
        return self._read(path) if path is not None else None

    def may_be_another(self, module: str, user: str) -> bool:
        """True if `user`, in another folder, may mean another file by the name of a module: two files have it."""
        path, other = self._paths.get(module), self._paths.get(user)
        if path is None or other is None or path.parent == other.parent:
            return False
        return any(name.startswith(f"{module}@") for name in self.given)

    def linker(self, path: Path) -> Callable[[str], str]:
        """Return the function that gives what a file imports the names of this project's modules."""
        return self._links.linker(path)

    def is_known(self, name: str) -> bool:
        """True if the names of a module are known without parsing it."""
        return name in self._surfaces or self.summary(name) is not None

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders that dotted names are looked for in."""
        return tuple(dict.fromkeys((*self._roots, *self._links.folders)))

    @property
    def tops(self) -> frozenset[str]:
        """The first names of the given modules."""
        if self._tops is None:
            self._tops = frozenset(name.partition(".")[0] for name in self.given)
        return self._tops

    def _find(self, name: str) -> Path | None:
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for root in self._roots:
            if not self._links.folder_names.may_hold(str(root), parts):
                continue
            stem = os.path.join(root, *parts)
            for candidate in (os.path.join(stem, "__init__.py"), f"{stem}.py"):
                if os.path.isfile(candidate) and self._belongs(Path(candidate), root, parts[0]):
                    self._paths[name] = Path(candidate)
                    return self._paths[name]
        return None

    def _belongs(self, candidate: Path, root: Path, top: str) -> bool:
        """Only packages that hold a given file, and scripts next to one, are part of the project."""
        return top in self.tops or candidate.parent == root
