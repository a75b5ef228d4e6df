"""Classes of Python's own, as far as this interpreter has loaded them."""

from __future__ import annotations

import sys
from collections import deque

OF_CONTAINERS = frozenset(
    name for kind in (dict, list, set, tuple, deque) for name in dir(kind) if not name.startswith("__")
)
"""The methods of Python's own containers."""

_GIVES = frozenset(("__call__", "__getitem__", "__iter__", "__next__", "get", "pop"))
"""Methods by which an object gives what was put into it."""


def holds_no_items(name: str) -> bool:
    """True for a class of the standard library whose instances give nothing that was put into them: ModuleType.

    A class of a module that is not loaded counts as a container.
    """
    module, _, last = name.rpartition(".")
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return False
    cls = getattr(sys.modules.get(module), last, None)
    return isinstance(cls, type) and _GIVES.isdisjoint(dir(cls))


def may_keep(name: str, attribute: str) -> bool:
    """False if setting an attribute of an instance of a class of Python is an error: `pathlib.Path` has no such slot.

    A class counts as far as its module is loaded, with all subclasses that the module may make instead.
    """
    module, _, last = name.rpartition(".")
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return True
    cls = getattr(sys.modules.get(module), last, None)
    if not isinstance(cls, type):
        return True
    made = (
        cls,
        *(each for each in vars(sys.modules[module]).values() if isinstance(each, type) and issubclass(each, cls)),
    )
    return any(_takes_any(each) or hasattr(each, attribute) for each in made)


def _takes_any(cls: type) -> bool:
    return cls.__dictoffset__ != 0 or any("__setattr__" in vars(base) for base in cls.__mro__ if base is not object)
