"""Imports rewritten files of packages in place of the original ones."""

from __future__ import annotations

import importlib.util
import io
import linecache
import os
import sys
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING

from qprep.engine.preparing.package_files import is_package

if TYPE_CHECKING:
    from importlib.readers import FileReader

    from qprep.engine.preparing.source_store import PreparedModule


class PreparedFinder(MetaPathFinder):
    """Finds the rewritten file of each module that has one; it comes before all other finders.

    Code objects carry the rewritten file's path, so tracebacks, `inspect.getsource`, TorchScript, `torch.compile` and
    debuggers show what runs. A module that reads its own `__file__`, and a package, whose folder holds data files,
    keep the original path in `__file__`; `linecache` then shows the rewritten text under that path too.
    """

    def __init__(self, modules: Mapping[str, PreparedModule], names: Sequence[str] = ()) -> None:
        self.modules = modules
        self.names = tuple(names)  # what the user asked to prepare

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  (the finders' signature)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """The spec of a module that was rewritten; None for every other one."""
        entry = self.modules.get(fullname)
        return _spec(fullname, entry) if entry is not None else None

    def overlay(self, spec: ModuleSpec) -> None:
        """Let the spec of a file that is imported by its path, under any name, load the rewritten file."""
        if spec.origin is None:
            return
        path = os.path.realpath(spec.origin)
        entry = next((each for each in self.modules.values() if os.path.realpath(each.original) == path), None)
        if entry is not None:
            spec.origin, spec.loader = str(entry.rewritten), _PreparedLoader(spec.name, str(entry.rewritten), entry)


def _spec(name: str, entry: PreparedModule) -> ModuleSpec | None:
    folders = [str(entry.original.parent)] if is_package(entry.original) else None
    loader = _PreparedLoader(name, str(entry.rewritten), entry)
    return importlib.util.spec_from_file_location(
        name, entry.rewritten, loader=loader, submodule_search_locations=folders
    )


class _PreparedLoader(SourceFileLoader):
    """Runs the rewritten file; Python keeps its bytecode next to it, as for any other file."""

    def __init__(self, fullname: str, path: str, entry: PreparedModule) -> None:
        super().__init__(fullname, path)
        self._original = str(entry.original)
        self._keeps_path = entry.looks_at_path or is_package(entry.original)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        if self._keeps_path:
            module.__file__ = self._original
            _show(self._original, self.get_data(self.path))
        super().exec_module(module)

    def get_resource_reader(self, name: str | None = None) -> FileReader:
        """The reader of the package's data files, which are next to the original."""
        return SourceFileLoader(self.name, self._original).get_resource_reader(name)


def install(finder: PreparedFinder) -> None:
    """Put a finder before all others."""
    sys.meta_path.insert(0, finder)


def remove(finder: PreparedFinder) -> None:
    """Take a finder away, where it is installed."""
    if finder in sys.meta_path:
        sys.meta_path.remove(finder)


def installed_finders() -> Iterable[PreparedFinder]:
    """The finders that are installed."""
    return [finder for finder in sys.meta_path if isinstance(finder, PreparedFinder)]


def original_file(module: str) -> str | None:
    """The file of a loaded module; where it was rewritten, the original one. None for a module without a file."""
    entry = next((each.modules[module] for each in installed_finders() if module in each.modules), None)
    file = getattr(sys.modules.get(module), "__file__", None)
    return str(entry.original) if entry is not None else file if isinstance(file, str) else None


def _show(path: str, data: bytes) -> None:
    """Let `linecache` show these contents under `path`: without a time stamp it never reads the disk."""
    encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    text = io.TextIOWrapper(io.BytesIO(data), encoding).read()
    linecache.cache[path] = (len(data), None, text.splitlines(keepends=True), path)
