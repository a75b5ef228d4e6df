"""Classes of Python's own, as far as this interpreter has loaded them."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections import deque

OF_CONTAINERS = frozenset(
    name for kind in (dict, list, set, tuple, deque) for name in dir(kind) if not name.startswith("__")
)
"""The methods of Python's own containers."""

_ALWAYS = frozenset(("argparse", "datetime", "logging", "pathlib", "random", "types"))
"""Modules whose classes most scripts use: they are loaded, whatever else this process has loaded."""
_GIVES = frozenset(("__call__", "__getitem__", "__iter__", "__next__", "get", "pop"))
"""Methods by which an object gives what was put into it."""


def holds_no_items(name: str) -> bool:
    """True for a class of the standard library whose instances give nothing that was put into them: ModuleType.

    A class of a module that is not loaded counts as a container.
    """
    cls = _loaded(name)
    return cls is not None and _GIVES.isdisjoint(dir(cls))


def lacks(name: str, attribute: str) -> bool:
    """True for a class of the standard library that has no such attribute: an instance gets it from its user.

    A class of a module that is not loaded counts as having none.
    """
    cls = _loaded(name)
    return is_standard(name) and (cls is None or not hasattr(cls, attribute))


def gets_keywords(name: str) -> bool:
    """True if the constructor of a class of Python may give an instance any attribute: `SimpleNamespace(info=f)`.

    A class of a module that is not loaded counts as one, and so does one that computes its attributes.
    """
    cls = _loaded(name)
    if cls is None or hasattr(cls, "__getattr__"):
        return True
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(each.kind is each.VAR_KEYWORD for each in parameters)


def may_keep(name: str, attribute: str) -> bool:
    """False if setting an attribute of an instance of a class of Python is an error: `pathlib.Path` has no such slot.

    A class counts as far as its module is loaded, with all subclasses that the module may make instead.
    """
    cls = _loaded(name)
    if cls is None:
        return True
    beside = vars(sys.modules[name.rpartition(".")[0]]).values()
    made = (cls, *(each for each in beside if isinstance(each, type) and issubclass(each, cls)))
    return any(_takes_any(each) or hasattr(each, attribute) for each in made)


def _takes_any(cls: type) -> bool:
    return cls.__dictoffset__ != 0 or any("__setattr__" in vars(base) for base in cls.__mro__ if base is not object)


def is_standard(name: str) -> bool:
    """True for a dotted name of Python's standard library."""
    return name.partition(".")[0] in sys.stdlib_module_names


def _loaded(name: str) -> type | None:
    """The class of the standard library with a dotted name; None if it is another one or not loaded."""
    module, _, last = name.rpartition(".")
    if module in _ALWAYS:
        importlib.import_module(module)
    cls = getattr(sys.modules.get(module), last, None) if is_standard(name) else None
    return cls if isinstance(cls, type) else None
