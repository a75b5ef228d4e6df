"""Extensions: found in the files of a folder, and in modules that other packages name by entry points."""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType, ModuleType
from typing import TypeVar

from qprep.foundation.errors import QprepError

_T = TypeVar("_T")


class LazyTable(Mapping[str, _T]):
    """A table that `find` makes when it is first used: modules of extensions may import `qprep.quantizer`."""

    def __init__(self, find: Callable[[], Mapping[str, _T]]) -> None:
        self._find = find

    @cached_property
    def _found(self) -> Mapping[str, _T]:
        return MappingProxyType(dict(self._find()))

    def __getitem__(self, name: str) -> _T:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def extension_modules(finder: str, group: str, kind: str) -> Iterator[ModuleType]:
    """The modules in the folder of the module `finder`, in order of their names, without it; then entry points.

    group  of entry points, each of which names a module, or an object in one
    Raises QprepError if a module of another package, with extensions of this `kind`, cannot be imported.
    """
    package, _, own = finder.rpartition(".")
    folder = importlib.import_module(package).__path__
    for found in sorted(pkgutil.iter_modules(folder), key=lambda each: each.name):
        if found.name != own and not found.ispkg:
            yield importlib.import_module(f"{package}.{found.name}")
    for entry in sorted(importlib.metadata.entry_points(group=group), key=lambda each: each.name):
        try:
            yield importlib.import_module(entry.module)
        except Exception as error:  # any error in the import of another package
            raise QprepError(f"expected the {kind} of {entry.name} ({entry.value}), found {error!r}") from error
