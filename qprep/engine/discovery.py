"""Discovery: the files named, and the Python files and notebooks below the folders named."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qprep.engine.config.settings import Settings, SettingsResolver
from qprep.engine.gitignore import PatternScope
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Finding
from qprep.foundation.internal_rules import UNREADABLE_FILE, engine_finding
from qprep.foundation.notebook import SUFFIX
from qprep.foundation.regular_files import read_text
from qprep.foundation.source import display_path


@dataclass(frozen=True, slots=True)
class Discovery:
    """Files in the order of their paths; what could not be read; and sentences for standard error."""

    files: tuple[Path, ...]
    problems: tuple[Finding, ...]
    warnings: tuple[str, ...]


def discover(paths: Sequence[Path], settings: SettingsResolver, *, given: Collection[str] = ()) -> Discovery:
    """Find the files to read; raises QprepError for a path that does not exist.

    A named file is always read unless `settings.force_exclude`; a named folder is always walked, but what lies in it
    is subject to the excludes and to .gitignore. A file reached twice (links) is read once; a link in a folder to a
    file that lies below none of the paths is not read, since a fix would change that file. Paths in `given` (as
    reports show them) are taken as files without a look at the disk: their bytes come from elsewhere.
    """
    walk = _Walk(settings, frozenset(given), tuple(Path(os.path.realpath(path)) for path in paths))
    for path in paths:
        walk.add(path)
    walk.warn_of_links()
    files = {_identity(path): path for path in sorted(walk.files, key=_links_last, reverse=True)}
    return Discovery(
        tuple(sorted(files.values(), key=display_path)),
        tuple(sorted(walk.problems, key=lambda finding: finding.sort_key)),
        tuple(walk.warnings),
    )


def walk(root: Path, settings: SettingsResolver, *, most: int, deep: bool) -> list[Path]:
    """The first so many files that a walk through a folder finds; without `deep`, those right in it alone."""
    found = _Walk(settings, frozenset(), (Path(os.path.realpath(root)),), most=most, deep=deep)
    found.add(root)
    return found.files


@dataclass(slots=True)
class _Walk:
    settings: SettingsResolver
    given: frozenset[str]
    roots: tuple[Path, ...] = ()  # the paths given, links resolved
    files: list[Path] = field(default_factory=list)
    most: int = sys.maxsize  # files after which the walk ends
    deep: bool = True
    outside: list[Path] = field(default_factory=list)  # links to files that lie elsewhere
    problems: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, path: Path) -> None:
        if display_path(path) not in self.given:
            self._add_from_disk(path)
        elif not (self.settings.force_exclude and _is_excluded(_absolute(path), self.settings)):
            self.files.append(path)

    def _add_from_disk(self, path: Path) -> None:
        if path.is_dir():
            self._add_folder(path)
        elif not os.path.lexists(path):
            raise QprepError(f"expected a file or folder, found nothing at `{path}`")
        elif self.settings.force_exclude and _is_excluded(_absolute(path), self.settings):
            return
        elif path.exists() and not path.is_file():
            self._fault(path, "the file cannot be read: it is not a regular file")
        else:
            self.files.append(path)

    def _add_folder(self, path: Path) -> None:
        if self.settings.force_exclude and _is_excluded(_absolute(path), self.settings):
            return
        before = len(self.files), len(self.problems)
        self._descend(path, _ignore_files_above(_absolute(path)))
        if (len(self.files), len(self.problems)) == before and not self.outside:
            self.warnings.append(f"no Python files found under {display_path(path)}")

    def _descend(self, folder: Path, ignores: tuple[PatternScope, ...]) -> None:
        """Folders are walked with an explicit stack: a tree may be deeper than the recursion limit."""
        stack = [(folder, ignores)]
        while stack and len(self.files) < self.most:
            here, above = stack.pop()
            settings = self.settings.for_folder(_absolute(here))
            scopes = (*above, *_ignore_file(_absolute(here))) if settings.respect_gitignore else ()
            for entry in self._entries(here):
                is_dir = entry.is_dir(follow_symlinks=False)
                if not is_dir and not entry.name.endswith((".py", SUFFIX)):
                    continue
                path = Path(entry.path)
                if _is_ignored(_absolute(path), is_dir, settings, scopes):
                    continue
                if is_dir:
                    if self.deep:
                        stack.append((path, scopes))
                else:
                    self._add_entry(entry)

    def _add_entry(self, entry: os.DirEntry[str]) -> None:
        """A file of a folder; a link to one counts where the file lies below a path that was given."""
        try:
            is_file = entry.is_file()
        except OSError as error:  # a link that leads to itself
            self._fault(Path(entry.path), f"the file cannot be read: {error.strerror}")
            return
        if not is_file:
            return
        if entry.is_symlink() and not self._is_inside(entry.path):
            self.outside.append(Path(entry.path))
            return
        self.files.append(Path(entry.path))

    def _is_inside(self, path: str) -> bool:
        target = Path(os.path.realpath(path))
        return any(target == root or root in target.parents for root in self.roots)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._fault(folder, f"the folder cannot be read: {error.strerror}")
            return []

    def warn_of_links(self) -> None:
        """Say which links were left out."""
        if self.outside:
            first, number = display_path(self.outside[0]), len(self.outside)
            links = f"`{first}` leads" if number == 1 else f"`{first}` and {number - 1} more lead"
            self.warnings.append(f"{links} outside of the paths given, and nothing there is read or changed")

    def _fault(self, path: Path, message: str) -> None:
        self.problems.append(engine_finding(UNREADABLE_FILE, display_path(path), message))


def _is_ignored(path: Path, is_dir: bool, settings: Settings, ignores: tuple[PatternScope, ...]) -> bool:
    if any(scope.verdict(path, is_dir) for scope in settings.excludes):
        return True
    # The closest .gitignore that speaks of an entry decides.
    return next((verdict for scope in reversed(ignores) if (verdict := scope.verdict(path, is_dir)) is not None), False)


def _is_excluded(path: Path, resolver: SettingsResolver) -> bool:
    """True if a walk from the top would not have come to this path."""
    settings = resolver.for_folder(path.parent)
    ignores = _ignore_files_above(path) if settings.respect_gitignore else ()
    entries = (*reversed(path.parents), path)
    return any(_is_ignored(entry, entry != path or path.is_dir(), settings, ignores) for entry in entries)


def _ignore_files_above(path: Path) -> tuple[PatternScope, ...]:
    """The .gitignore files from the top of the git work tree down to the folder that holds `path`."""
    top = _work_tree(path)
    if top is None or top == path:
        return ()
    between = [folder for folder in reversed(path.parents) if folder == top or top in folder.parents]
    return tuple(scope for folder in between for scope in _ignore_file(folder))


def _ignore_file(folder: Path) -> Iterator[PatternScope]:
    """The patterns of one folder; git's own exclude file counts at the top of the work tree."""
    for name in (".git/info/exclude", ".gitignore"):
        try:
            text = read_text(folder / name, errors="surrogateescape")
        except OSError:
            continue
        scope = PatternScope.compile(folder, text.split("\n"))
        if scope.patterns.lines:
            yield scope


def _work_tree(path: Path) -> Path | None:
    return next((folder for folder in (path, *path.parents) if (folder / ".git").exists()), None)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _identity(path: Path) -> str:
    return os.path.realpath(path)


def _links_last(path: Path) -> tuple[bool, str]:
    return (path.is_symlink(), display_path(path))
