"""The base of layers that specify their own formats."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from torch import nn

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.config.config_settings import NAMES, LayerSettings, with_values
from qprep.quantizer.formats.spec import Spec
from qprep.runtime_modules._operation import Operation

_SPECS: Final = ("weights", "activations", "bias")


class Formatted(nn.Module):
    """A layer with formats of its own, given as keywords in addition to the layer's arguments.

    Keywords are the names of `LayerSettings` (bits_weights=4, scheme_weights="symmetric"), or `weights`, `activations`
    and `bias`, each a `Spec`. Until a quantizer adopts the model around it, the layer computes in float. The settings
    of the quantizer fill in what the layer does not specify; an override of the quantizer wins over both.
    """

    formats: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Raises QprepError for formats that cannot be meant."""
        where = f"of {type(self).__name__}"
        given = {name: kwargs.pop(name) for name in [*NAMES] if name in kwargs}
        for name in _SPECS:
            if isinstance(kwargs.get(name), Spec):
                given |= _settings(name, kwargs.pop(name))
        with_values(LayerSettings(), given, where)
        _check_keywords(type(self), kwargs)
        super().__init__(*args, **kwargs)
        self.formats = given

    def extra_repr(self) -> str:
        """The layer's own, and its formats."""
        shown = [f"{name}={value!r}" for name, value in self.formats.items()]
        own = "" if isinstance(self, Operation) else super().extra_repr()  # an Operation asks its own constructor
        return ", ".join([*([own] if own else []), *shown])


def _check_keywords(layer: type[nn.Module], kwargs: Mapping[str, Any]) -> None:
    """QprepError for keywords that neither the layer nor its formats have."""
    places = list(layer.__mro__)
    base = next(each for each in places[places.index(Formatted) + 1 :] if "__init__" in vars(each))
    known = inspect.signature(base.__init__).parameters  # type: ignore[misc]
    for name, value in kwargs.items():
        if name in _SPECS and name not in known:
            raise QprepError(f"expected a Spec as {name} of {layer.__name__}, found {value!r}")
        takes_more = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values())
        if name not in known and not takes_more:
            hint = did_you_mean(name, [*known, *NAMES, *_SPECS])
            raise QprepError(f"unknown argument {name!r} of {layer.__name__}{hint}")


def _settings(name: str, spec: Spec) -> dict[str, Any]:
    bits = {f"bits_{name}": spec.dtype if spec.is_float else spec.bits}
    if spec.is_float or name == "bias":
        return bits
    found = {**bits, f"scheme_{name}": spec.scheme.value, f"estimator_{name}": spec.estimator}
    if name == "activations":
        return {**found, "signed_activations": spec.signed}
    return {**found, "granularity_weights": spec.granularity.value, "group_size": spec.group_size}


def formats_of(model: nn.Module) -> dict[str, dict[str, Any]]:
    """The settings that modules of a model bring, by path; QprepError if they were changed to invalid ones."""
    found = {}
    for path, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, Formatted):
            if not isinstance(module.formats, dict):
                raise QprepError(f"expected a dict of settings as formats of {path}, found {module.formats!r}")
            found[path] = module.formats
    return found
