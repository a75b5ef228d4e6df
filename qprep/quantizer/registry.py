"""Replacements for classes of layers: of one quantizer (`replacement_factory`), or of all (`register`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from torch import nn

from qprep.errors import QprepError
from qprep.quantizer.settings import Settings

Replacement = Callable[[nn.Module, str, Settings], nn.Module]

_REGISTERED: Final[dict[type[nn.Module], Replacement]] = {}


def register(layer: type[nn.Module]) -> Callable[[Replacement], Replacement]:
    """Decorate `(module, path, settings) -> nn.Module`: what stands in for instances of `layer` from now on.

    A layer that is registered is one operation, whatever is inside. Raises QprepError for what is no module class.
    """
    if not (isinstance(layer, type) and issubclass(layer, nn.Module)):
        raise QprepError(f"expected a class of modules to register, found {layer!r}")

    def remember(replacement: Replacement) -> Replacement:
        _REGISTERED[layer] = replacement
        return replacement

    return remember


def unregister(layer: type[nn.Module]) -> None:
    """Forget what `register` was told; QprepError where that is nothing."""
    if _REGISTERED.pop(layer, None) is None:
        raise QprepError(f"expected a registered class of modules, found {layer!r}")


def registered() -> Mapping[type[nn.Module], Replacement]:
    """Everything registered, as it is now."""
    return dict(_REGISTERED)


def nearest(factory: Mapping[type[nn.Module], Replacement], module: nn.Module) -> Replacement | None:
    """The entry of the nearest base class of `module`."""
    return next((factory[base] for base in type(module).__mro__ if base in factory), None)
