"""Replacements for classes of layers: of one quantizer (`replacement_factory`), or of all (`register`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from torch import nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.config.config_settings import LayerSettings

Replacement = Callable[[nn.Module, str, LayerSettings], nn.Module]


def wrap(module: nn.Module, path: str, settings: LayerSettings) -> nn.Module:  # noqa: ARG001  (a replacement's)
    """The replacement by the module itself: it is one operation, whatever is inside, with quantizers around it.

    `register(MyLayer)(wrap)`, or `quantizer.replacement_factory[MyLayer] = wrap`.
    """
    return module


class ReplacementFactory(dict[type[nn.Module], Replacement | None]):
    """Functions by class of modules; of several bases the nearest counts, None leaves instances to the wrapper."""

    @property
    def default(self) -> Replacement | None:
        """The replacement for modules of all other classes: the entry of nn.Module."""
        return self.get(nn.Module)

    @default.setter
    def default(self, replacement: Replacement | None) -> None:
        self[nn.Module] = replacement

    @property
    def units(self) -> tuple[type[nn.Module], ...]:
        """The classes whose instances are one operation each."""
        return tuple(layer for layer, made in self.items() if layer is not nn.Module and made is not None)

    def check(self) -> None:
        """QprepError if a key is not a class of modules, or an entry not a function."""
        for layer, replacement in self.items():
            _check_layer(layer)
            if replacement is not None and not callable(replacement):
                raise QprepError(f"expected a function that replaces {layer.__name__}, found {replacement!r}")

    def nearest(self, module: nn.Module) -> Replacement | None:
        """The entry of the nearest base class of `module`."""
        return next((self[base] for base in type(module).__mro__ if base in self), None)

    def replace(self, module: nn.Module, path: str, settings: LayerSettings) -> nn.Module | None:
        """The replacement of `module`; None if there is none. QprepError if a function does not return a module."""
        function = self.nearest(module)
        if function is None or function is wrap:
            return None
        made = function(module, path, settings)
        if not isinstance(made, nn.Module):
            raise QprepError(
                f"expected the replacement of {path or 'the model'} ({type(module).__name__}) to be an nn.Module, "
                f"found {type(made).__name__}"
            )
        return made


_REGISTERED: Final[dict[type[nn.Module], Replacement]] = {}


def register(layer: type[nn.Module]) -> Callable[[Replacement], Replacement]:
    """Register the decorated `(module, path, settings) -> nn.Module`, which replaces instances of `layer` from now on.

    A layer that is registered is one operation, whatever is inside. Raises QprepError for anything but a module class.
    """
    _check_layer(layer)

    def remember(replacement: Replacement) -> Replacement:
        _REGISTERED[layer] = replacement
        return replacement

    return remember


def unregister(layer: type[nn.Module]) -> None:
    """Undo `register` for a class; QprepError if it is not registered."""
    if _REGISTERED.pop(layer, None) is None:
        raise QprepError(f"expected a registered class of modules, found {layer!r}")


def registered() -> Mapping[type[nn.Module], Replacement]:
    """Everything registered, as it is now."""
    return dict(_REGISTERED)


def _check_layer(layer: object) -> None:
    if not (isinstance(layer, type) and issubclass(layer, nn.Module)):
        raise QprepError(f"expected a class of modules to replace, found {layer!r}")
