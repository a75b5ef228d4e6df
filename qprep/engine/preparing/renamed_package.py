"""The prepared twin of a package that is imported already: its rewritten files, imported under a name of their own.

The two know nothing of each other: models of the original go on working, and each class, registry and pickle belongs to
one of them. Only what cannot be taken out of the package (`vendored_files`) is shared.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from qprep.engine.preparing.cache_folder import prepared_folder
from qprep.engine.preparing.package_files import InstalledPackage
from qprep.engine.preparing.rewriting import Rewriting
from qprep.engine.preparing.source_finder import PreparedFinder, install
from qprep.engine.preparing.source_store import FileSet, PreparedModule, PreparedSources, prepared_sources
from qprep.engine.preparing.vendored_files import vendored_files


class RenamedPackage:
    """A package under another name; `sources` are its modules, by their original names.

    Importing a module of it imports no file of the original package, except for those that cannot be separated from it.
    """

    def __init__(self, top: str, sources: PreparedSources) -> None:
        self.sources = sources
        self._top = top
        self._name = f"{top}_prepared_{_digest(sources.modules)}"

    def name_of(self, module: str) -> str:
        """The name of a module in the renamed package."""
        return self._name + module.removeprefix(self._top)

    def module(self, name: str) -> ModuleType:
        """A module by its original name, imported."""
        return importlib.import_module(self.name_of(name))

    def install(self) -> None:
        """Let it be imported; it stays so, since its models import from it when they run."""
        if self._name in sys.modules:
            return
        modules = {
            self.name_of(name): replace(each, name=self.name_of(name)) for name, each in self.sources.modules.items()
        }
        install(PreparedFinder(modules))
        sys.meta_path.append(_FolderFinder(modules))


def renamed_package(package: InstalledPackage, roots: Collection[str]) -> RenamedPackage:
    """The modules `roots` of a package with what they need, rewritten and kept in the cache, under another name.

    Raises QprepError if the files cannot be rewritten or taken out of the package.
    """
    label = f"renamed: {', '.join(sorted(roots))}"
    wanted = FileSet(label, package.files, tuple(package.files.values()))
    return RenamedPackage(package.top, prepared_sources(prepared_folder(), wanted, lambda: _rewritten(package, roots)))


def _rewritten(package: InstalledPackage, roots: Collection[str]) -> Rewriting:
    files = vendored_files(package, roots)
    moved = tuple(file.module for file in files.files if not file.rewritten)
    return Rewriting({file.module: file.data for file in files.files}, files.fixed, files.left, files.failed, moved)


class _FolderFinder(MetaPathFinder):
    """Finds the packages whose own file was not needed: they are empty."""

    def __init__(self, modules: Mapping[str, PreparedModule]) -> None:
        self._folders = {
            ".".join(parts[:length])
            for parts in (name.split(".") for name in modules)
            for length in range(1, len(parts))
        }

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  (the finders' signature)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """The spec of an empty package; None for every other module."""
        return ModuleSpec(fullname, None, is_package=True) if fullname in self._folders else None


def _digest(modules: Mapping[str, PreparedModule]) -> str:
    text = "\n".join(f"{name} {module.rewritten}" for name, module in sorted(modules.items()))
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
