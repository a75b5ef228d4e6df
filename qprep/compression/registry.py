"""Classes by the name that a schedule file calls them, your own among them."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import typing
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final, TypeVar, overload

from qprep.compression.errors import CompressionError

_Class = TypeVar("_Class", bound=type)


class Section(enum.Enum):
    """A section of a schedule file."""

    PRUNERS = "pruners"
    REGULARIZERS = "regularizers"
    DISTILLERS = "distillers"
    QUANTIZERS = "quantizers"
    LR_SCHEDULERS = "lr_schedulers"
    EXTENSIONS = "extensions"

    @property
    def policy(self) -> str:
        """The word for one entry in messages."""
        return self.value[:-1]


_REGISTERED: Final[dict[str, type]] = {}


@overload
def register(given: _Class) -> _Class: ...
@overload
def register(given: str) -> Callable[[_Class], _Class]: ...
def register(given: Any) -> Any:
    """A decorator: `@register` or `@register("Name")` lets a schedule file name a class.

    It is a `Pruner`, `Regularizer`, `Distiller` or (for extensions) any other `Policy`. A later class of the same name
    replaces the first.
    """
    if isinstance(given, str):

        def under_name(cls: _Class) -> _Class:
            _REGISTERED[given] = cls
            return cls

        return under_name
    if not isinstance(given, type):
        raise CompressionError(f"expected a class to register, found {type(given).__name__}")
    _REGISTERED[given.__name__] = given
    return given


def registered() -> Mapping[str, type]:
    """All registered classes by name."""
    return dict(_REGISTERED)


def parameters_of(
    factory: Callable[..., object], injected: frozenset[str] = frozenset()
) -> dict[str, inspect.Parameter]:
    """The arguments of a constructor that a file may give, without those in `injected`."""
    found = inspect.signature(factory).parameters
    return {
        name: each
        for name, each in found.items()
        if name not in injected and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }


def hints_of(factory: Callable[..., object]) -> dict[str, Any]:
    """The annotations of a constructor, without those that cannot be resolved."""
    function = factory.__init__ if isinstance(factory, type) else factory  # type: ignore[misc]
    names = {**vars(collections.abc), **getattr(function, "__globals__", {})}  # what is imported for annotations alone
    found: dict[str, Any] = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        try:
            found |= typing.get_type_hints(SimpleNamespace(__annotations__={name: annotation}), names)
        except (NameError, TypeError):
            continue
    return found
