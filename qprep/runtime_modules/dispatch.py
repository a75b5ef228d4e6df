# ruff: noqa: ANN401 -- values of any kind
"""Calls of functions chosen at run time: each place has operations of its own where one has a module."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from torch import nn

from qprep.runtime_modules.function import Function

_Class = TypeVar("_Class", bound=type[nn.Module])

# What a partial of Python 3.14 has in the place of a later argument.
_PLACEHOLDER = type(getattr(functools, "Placeholder", NotImplemented))
_MODULES: WeakKeyDictionary[FunctionType, type[nn.Module]] = WeakKeyDictionary()


def stands_for(function: Any) -> Callable[[_Class], _Class]:
    """Class decorator: calls of `function` through a `Dispatch` run an instance of the class, made without arguments.

    It does nothing where `function` is not what the `def` of that name in the same file made: a decorator put something
    else in its place, which the class knows nothing of.
    """

    def register(cls: _Class) -> _Class:
        if isinstance(function, FunctionType) and _is_its_own(function, cls):
            _MODULES[function] = cls
        return cls

    return register


def _is_its_own(function: FunctionType, cls: type[nn.Module]) -> bool:
    """True if the file that defines `cls` knows `function` under the name that its code has."""
    known = function.__globals__
    first, *rest = function.__code__.co_qualname.split(".")  # "Net.gate" for a static method
    found = known.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return getattr(cls.forward, "__globals__", None) is known and found is function


class Dispatch(nn.Module):
    """Calls the function that it is given first: `dispatch(function, *args, **kwargs)`.

    Where the function has a module (`stands_for`), an instance of it runs in its place. It is made at the first
    call and kept as a child, so that each `Dispatch` has operations of its own. A `functools.partial` of such a
    function, and a `Function` that holds one, count as the function. Everything else is called as it is.
    """

    def forward(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `function` or what replaces it."""
        inner, given, named = function, args, kwargs
        while True:
            if type(inner) is Function:
                inner = inner.fn
            elif type(inner) is partial and _PLACEHOLDER not in map(type, inner.args):
                given, named, inner = (*inner.args, *given), {**inner.keywords, **named}, inner.func
            else:
                break
        cls = _MODULES.get(inner) if isinstance(inner, FunctionType) else None
        return function(*args, **kwargs) if cls is None else self._instance(cls)(*given, **named)

    def _instance(self, cls: type[nn.Module]) -> nn.Module:
        found = next((child for child in self.children() if type(child) is cls), None)
        if found is None:
            found = cls().train(self.training)
            name = cls.__name__
            while hasattr(self, name):
                name += "_"
            self.add_module(name, found)
        return found
