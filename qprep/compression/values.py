"""Values of a file against the annotations of a constructor."""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from qprep.compression.errors import CompressionError

_NAMES: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
}
_LISTS: Final = (list, tuple, Sequence, Iterable)
_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(?:\.\d*)?[eE][+-]?\d+")
_UNFIT: Final = object()


def numbered(value: Any) -> Any:  # noqa: ANN401
    """`value` with 1e-3 and the like as numbers, at any depth: they are text to YAML 1.1, numbers to YAML 1.2."""
    if isinstance(value, str):
        return float(value) if _SCIENTIFIC.fullmatch(value) else value
    if isinstance(value, Mapping):
        return {key: numbered(each) for key, each in value.items()}
    return [numbered(each) for each in value] if isinstance(value, list) else value


def converted(value: Any, hint: Any) -> Any:  # noqa: ANN401
    """`value` as the annotation `hint` has it, with whole numbers for numbers.

    Raises CompressionError for what does not fit, and for NaN; what is not annotated, or with classes of its own,
    passes.
    """
    if _has_nan(value):
        raise CompressionError(f"expected {described(hint)}, found {value!r}")
    found = _fit(value, hint)
    if found is _UNFIT:
        raise CompressionError(f"expected {described(hint)}, found {value!r}")
    return found


def entries_of(hint: Any) -> Any:  # noqa: ANN401
    """The annotation of the values of a mapping with the annotation `hint`, one of its alternatives; Any without."""
    for each in (hint, *typing.get_args(hint)):
        origin, inner = typing.get_origin(each), typing.get_args(each)
        if isinstance(origin, type) and issubclass(origin, Mapping) and len(inner) == 2:
            return inner[1]
    return Any


def described(hint: Any) -> str:  # noqa: ANN401
    """An annotation in words."""
    if hint in _NAMES:
        return _NAMES[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(described(each) for each in inner)
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin is not None and issubclass(origin, Mapping):
        return f"a mapping{_each(inner[1]) if len(inner) == 2 else ''}"
    if origin in _LISTS:
        return f"a list{_each(inner[0]) if inner else ''}"
    if hint is Any:
        return "a value"
    return getattr(hint, "__name__", str(hint))


def _each(hint: Any) -> str:  # noqa: ANN401
    return f", each {described(hint)}" if hint in _NAMES else ""


def _has_nan(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, Mapping):
        return any(map(_has_nan, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_nan, value))
    return isinstance(value, float) and math.isnan(value)


def _fit(value: Any, hint: Any) -> Any:  # noqa: ANN401
    if hint in _NAMES:
        return _scalar(value, hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        found = [each for each in (_fit(value, option) for option in inner) if each is not _UNFIT]
        return found[0] if found else _UNFIT
    if origin is typing.Literal:
        return value if value in inner else _UNFIT
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(value, inner)
    if origin in _LISTS:
        return _list(value, inner)
    return value


def _scalar(value: Any, hint: Any) -> Any:  # noqa: ANN401
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if hint is int and isinstance(value, bool):
        return _UNFIT
    return value if isinstance(value, hint) else _UNFIT


def _mapping(value: Any, inner: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if not isinstance(value, Mapping):
        return _UNFIT
    made = {key: _fit(each, inner[1]) if len(inner) == 2 else each for key, each in value.items()}
    return _UNFIT if any(each is _UNFIT for each in made.values()) else made


def _list(value: Any, inner: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if not isinstance(value, (list, tuple)):
        return _UNFIT
    made = [_fit(each, inner[0]) if inner else each for each in value]
    return _UNFIT if any(each is _UNFIT for each in made) else made
