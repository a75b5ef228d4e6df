"""Other ways to say what overrides and defaults say: bits by pattern, classes of modules, None for a module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from torch import nn

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.config.config_settings import NAMES

IN_FLOAT: Final[Mapping[str, Any]] = MappingProxyType(
    {name: None for name in NAMES if name.startswith("bits_")}  # no format for anything of a module
)
_SHORT: Final[Mapping[str, str]] = MappingProxyType(
    {"acts": "bits_activations", "wts": "bits_weights", "bias": "bits_bias"}  # Distiller's names
)


def values_of(given: object, where: str) -> Mapping[str, Any]:
    """Settings for one module: None leaves it in float, a number is its bits, a mapping says more.

    Raises QprepError for anything else; names in mappings may be Distiller's (`acts`, `wts`, `bias`).
    """
    if given is None:
        return IN_FLOAT
    if isinstance(given, (int, str)) and not isinstance(given, bool):
        return {"bits_activations": given, "bits_weights": given}
    if isinstance(given, Mapping):
        return {_SHORT.get(name, name): value for name, value in given.items()}
    raise QprepError(f"expected None, bits or a mapping of settings {where}, found {type(given).__name__}")


def with_bits(overrides: Any, bits: object) -> Any:  # noqa: ANN401  (what the caller gave)
    """`overrides`, and behind them what `bits_overrides` says in its short form."""
    if bits is None:
        return {} if overrides is None else overrides
    if not isinstance(bits, Mapping):
        raise QprepError(f"expected a mapping of bits_overrides, found {type(bits).__name__}")
    more = {pattern: values_of(each, f"in bits_overrides {pattern!r}") for pattern, each in bits.items()}
    given = overrides or {}
    if not isinstance(given, Mapping):
        return overrides  # an error where overrides are read
    return {**given, **{pattern: _joined(pattern, given.get(pattern, {}), each) for pattern, each in more.items()}}


def _joined(pattern: str, given: Any, bits: Mapping[str, Any]) -> Any:  # noqa: ANN401  (what the caller gave)
    """Settings of one pattern in both; QprepError if they disagree."""
    if not isinstance(given, Mapping):
        return given
    for name, value in bits.items():
        if given.get(name, value) != value:
            raise QprepError(
                f"expected one value of {name} for {pattern!r}, found {given[name]!r} in overrides and {value!r} in "
                "bits_overrides"
            )
    return {**given, **bits}


def type_names(types: object, model: nn.Module) -> tuple[str, ...]:
    """The classes of `types` by qualified name; QprepError if they are not classes, or `model` has no such module."""
    if types is None:
        return ()
    given = [types] if isinstance(types, (type, str)) else list(types) if isinstance(types, Iterable) else []
    names = tuple(each if isinstance(each, str) else qualified(each) for each in given)
    known = {qualified(base) for module in model.modules() for base in type(module).__mro__}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise QprepError(f"expected classes of the model's modules as types, found {name}{hint}")
    if not names:
        raise QprepError(f"expected one or more classes of modules as types, found {types!r}")
    return names


def qualified(kind: object) -> str:
    """A class's module and name; QprepError for what is not a class of modules."""
    if not isinstance(kind, type):
        raise QprepError(f"expected a class of modules as a type, found {kind!r}")
    return f"{kind.__module__}.{kind.__qualname__}"


def selected(model: nn.Module, types: Iterable[str]) -> set[str]:
    """The paths of all modules of these classes, and of all that is inside them."""
    names, found = set(types), set[str]()
    for path, module in model.named_modules(remove_duplicate=False):
        inside = any(not each or f"{path}.".startswith(f"{each}.") for each in found)
        if inside or names.intersection(map(qualified, type(module).__mro__)):
            found.add(path)
    return found
