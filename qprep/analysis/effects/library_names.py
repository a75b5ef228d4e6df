"""Names of Python and torch that several files of the points-to analysis need."""

from __future__ import annotations

ANY_MODULE = "sys.modules"
"""The name of the table of all modules of Python, and of any module in it."""

OF_MODULE_TABLE = frozenset(("copy", "get", "items", "pop", "setdefault", "values"))
"""The methods of that table which code uses."""

ANY_OF_PACKAGE = "*"
"""The last part of the name of what a computed name gets from a package: a class or function that is not known."""

CHILDREN = frozenset(("children", "named_children", "modules", "named_modules"))
FETCHES = frozenset(("get_submodule", "get_parameter", "get_buffer"))
CHILD_TABLE = "_modules"
DICTIONARIES = frozenset((CHILD_TABLE, "__dict__"))
"""Methods and attributes that list, fetch or hold the modules below a module."""

VIEWS = frozenset(("items", "values", "keys"))
"""Methods of dictionaries that give all items."""

CONTAINERS = frozenset(("Sequential", "ModuleList", "ModuleDict", "DataParallel", "DistributedDataParallel"))
"""Classes of torch.nn whose instances count as what they are made with."""

ROOTS = frozenset(("builtins.object", "typing.Generic", "typing.Protocol", "abc.ABC"))
"""Bases that give their subclasses no attributes and no items."""

MODULE_NAMES = frozenset(("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"))
"""The dotted names of the base class of modules."""
