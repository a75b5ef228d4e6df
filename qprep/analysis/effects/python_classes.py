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
