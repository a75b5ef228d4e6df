"""The source files of installed packages and modules, found without importing anything."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from qprep.foundation.errors import QprepError


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """An installed package or module and its source files by dotted name."""

    name: str
    files: dict[str, Path]

    @property
    def top(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]


def locate(name: str) -> InstalledPackage:
    """Find the files of `name` and of all that lies below it.

    Nothing is imported, not even the packages above it. Raises QprepError for a name that is no dotted name, that
    nothing is installed under, or whose source is not Python.
    """
    spec = spec_of(name)
    if spec.submodule_search_locations is None:
        return InstalledPackage(name, {name: _source(name, spec)})
    files: dict[str, Path] = {}
    for folder in spec.submodule_search_locations:
        for module, path in _below(name, folder):
            if module not in files or (is_package(path) and not is_package(files[module])):  # as Python chooses
                files[module] = path
    if not files:
        raise QprepError(f"expected Python source in the package `{name}`, found none")
    return InstalledPackage(name, files)


def spec_of(name: str) -> ModuleSpec:
    """The path of a module; finds the packages above it without importing them. QprepError if there is none."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise QprepError(f"expected the dotted name of a package or module, found {name!r}")
    spec = _top_spec(parts[0])
    for length in range(2, len(parts) + 1):
        if spec is None or spec.submodule_search_locations is None:
            break
        spec = PathFinder.find_spec(".".join(parts[:length]), spec.submodule_search_locations)
    if spec is None or spec.name != name:
        raise QprepError(f"expected an installed package or module, found none called `{name}`")
    return spec


def package_of(module: str, path: Path) -> InstalledPackage:
    """The package that a file is in, with all of its files; the file alone where it is in none."""
    top, _, rest = module.partition(".")
    depth = len(rest.split(".")) if rest else 0
    folder = path.parent if is_package(path) else path
    folder = [folder, *folder.parents][depth]
    if not (folder / "__init__.py").is_file():
        return InstalledPackage(module, {module: path})
    return InstalledPackage(top, dict(_below(top, str(folder))))


def version_of(top: str) -> str | None:
    """The version of the distribution that is called as the package is; None if there is none."""
    try:
        return version(top)
    except PackageNotFoundError:
        return None


def is_package(path: Path) -> bool:
    """True if a file is a package's own, and not that of a module in it."""
    return path.name == "__init__.py"


def _top_spec(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except (ValueError, ImportError):  # a module without a spec, such as a script
        return None


def _source(name: str, spec: ModuleSpec) -> Path:
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise QprepError(f"expected Python source for `{name}`, found {spec.origin or 'none'}")
    return Path(spec.origin)


def _below(name: str, folder: str) -> Iterator[tuple[str, Path]]:
    """Module names and files of a package's folder, in the order of their names."""
    stack = [(name, folder)]
    while stack:
        package, here = stack.pop()
        for entry in _entries(here):
            stem, dot, ending = entry.name.partition(".")
            if not stem.isidentifier():
                continue
            if ending == "py" and entry.is_file():
                yield (package if stem == "__init__" else f"{package}.{stem}"), Path(entry.path)
            elif not dot and stem != "__pycache__" and entry.is_dir(follow_symlinks=False):
                stack.append((f"{package}.{stem}", entry.path))


def _entries(folder: str) -> Sequence[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return ()
