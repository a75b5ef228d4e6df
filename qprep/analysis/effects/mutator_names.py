"""Names of attributes and methods by which code changes modules."""

from __future__ import annotations

SETTERS = frozenset(("setattr", "delattr", "__setattr__", "__delattr__"))
# Attributes by which an instance replaces what its class defines, or its class itself.
OVERRIDES = frozenset(("forward", "__class__", "__call__", "__dict__", "_modules", "_parameters", "_buffers"))
TABLES = frozenset(("__dict__", "_modules"))  # that hold what the attributes of an object mean
GLOBAL_HOOKS = "register_module_"
