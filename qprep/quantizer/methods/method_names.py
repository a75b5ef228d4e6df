"""Methods without training, by the names that the command line and quant.yaml give them, and their options.

A method is found where its class is: in a file of this folder, or in a module that a package names under the entry
point group `qprep.quantizer.methods`. The class says its name in `method_name`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Final

from qprep.foundation.errors import QprepError
from qprep.quantizer.extension_modules import LazyTable, extension_modules
from qprep.quantizer.quantizer_base import Quantizer

GROUP: Final = "qprep.quantizer.methods"  # of entry points: each names a module, or a class in it


def _methods() -> Mapping[str, type[Quantizer]]:
    found: dict[str, type[Quantizer]] = {}
    for module in extension_modules(__name__, GROUP, "methods"):
        for made in vars(module).values():
            if not (isinstance(made, type) and issubclass(made, Quantizer) and made.__module__ == module.__name__):
                continue
            name = vars(made).get("method_name")
            if name is None:
                continue
            if name in found:
                raise QprepError(f"expected one method called {name!r}, found {found[name]!r} and {made!r}")
            found[name] = made
    return dict(sorted(found.items()))


METHODS: Final[Mapping[str, type[Quantizer]]] = LazyTable(_methods)


def options_of(method: type[Quantizer]) -> Mapping[str, int | float | bool]:
    """The numbers, by name with their defaults, that a method's constructors take; without those of all methods."""
    found: dict[str, int | float | bool] = {}
    for each in reversed(method.__mro__):
        own = inspect.signature(vars(each)["__init__"]).parameters.values() if "__init__" in vars(each) else ()
        found |= {
            one.name: one.default
            for one in own
            if one.kind is one.KEYWORD_ONLY and isinstance(one.default, (int, float))
        }
    return found


OPTIONS: Final[Mapping[str, Mapping[str, int | float | bool]]] = LazyTable(
    lambda: {name: options_of(method) for name, method in METHODS.items()}
)
