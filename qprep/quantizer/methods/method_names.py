"""Methods without training, by the names that the command line and quant.yaml give them, and their options.

A method is found where its class is: in a file of this folder, or in a module that a package names under the entry
point group `qprep.quantizer.methods`. The class says its name in `method_name`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Final

from qprep.foundation.errors import QprepError
from qprep.quantizer.quantizer_base import Quantizer

GROUP: Final = "qprep.quantizer.methods"  # of entry points: each names a module, or a class in it


def _modules() -> Iterator[ModuleType]:
    """Those of this folder, in order of their names, then those of other packages."""
    package, _, own = __name__.rpartition(".")
    folder = importlib.import_module(package).__path__
    for found in pkgutil.iter_modules(folder):
        if found.name != own and not found.ispkg:
            yield importlib.import_module(f"{package}.{found.name}")
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda each: each.name):
        try:
            yield importlib.import_module(entry.module)
        except Exception as error:  # what an import of somebody else's raises
            raise QprepError(f"expected the methods of {entry.name} ({entry.value}), found {error!r}") from error


def _methods() -> Mapping[str, type[Quantizer]]:
    found: dict[str, type[Quantizer]] = {}
    for module in _modules():
        for made in vars(module).values():
            if not (isinstance(made, type) and issubclass(made, Quantizer) and made.__module__ == module.__name__):
                continue
            name = vars(made).get("method_name")
            if name is None:
                continue
            if name in found:
                raise QprepError(f"expected one method called {name!r}, found {found[name]!r} and {made!r}")
            found[name] = made
    return MappingProxyType(found)


METHODS: Final = _methods()


def options_of(method: type[Quantizer]) -> Mapping[str, int | float | bool]:
    """The numbers, by name with their defaults, that a method's constructors take beside what all take."""
    found: dict[str, int | float | bool] = {}
    for each in reversed(method.__mro__):
        own = inspect.signature(vars(each)["__init__"]).parameters.values() if "__init__" in vars(each) else ()
        found |= {
            one.name: one.default
            for one in own
            if one.kind is one.KEYWORD_ONLY and isinstance(one.default, (int, float))
        }
    return found


OPTIONS: Final = MappingProxyType({name: options_of(method) for name, method in METHODS.items()})
