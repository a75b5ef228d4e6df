"""Instances of your own where one instance was put into several places at construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from torch import nn

from qprep.runtime_modules.tied import another

Held = TypeVar("Held")
Modules = TypeVar("Modules", bound=Sequence[nn.Module])


def unshared(module: Held) -> Held:
    """A separate instance of `module` where it has no parameters and buffers; anything else as it is.

    For a module that whoever calls the constructor may give: one with parameters stays the one given.
    """
    if not isinstance(module, nn.Module) or _has_state(module):
        return module
    return another(module)  # type: ignore[return-value]


def distinct(modules: Modules) -> Modules:
    """`modules` with a separate instance wherever one without parameters and buffers stands again."""
    seen: set[int] = set()
    found = []
    for module in modules:
        found.append(unshared(module) if id(module) in seen else module)
        seen.add(id(module))
    return type(modules)(found)  # type: ignore[call-arg]


def _has_state(module: nn.Module) -> bool:
    return any(True for _ in module.parameters()) or any(True for _ in module.buffers())
