# ruff: noqa: ANN401 -- values of any kind
"""A module for any callable held as a value: an activation chosen at construction, a partial, a lambda."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


class Function(nn.Module):
    """`fn` as a module: `Function(torch.nn.functional.gelu)`; it can be pickled where `fn` can.

    It has no parameters, buffers or children, whatever `fn` is.
    """

    fn: Callable[..., Any]

    def __init__(self, fn: Callable[..., Any]) -> None:
        super().__init__()
        # Past nn.Module's own setattr: were `fn` a module, its weights would belong to whoever else holds it.
        object.__setattr__(self, "fn", fn)

    @overload
    @staticmethod
    def wrap(fn: None) -> None: ...
    @overload
    @staticmethod
    def wrap(fn: _Module) -> _Module: ...
    @overload
    @staticmethod
    def wrap(fn: Callable[..., Any]) -> nn.Module: ...
    @staticmethod
    def wrap(fn: Callable[..., Any] | nn.Module | None) -> nn.Module | None:
        """`fn` itself where it is a module or None, else a Function of it."""
        return fn if fn is None or isinstance(fn, nn.Module) else Function(fn)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call `fn`."""
        return self.fn(*args, **kwargs)

    def extra_repr(self) -> str:
        """Name the function, with the arguments that a partial fixes."""
        return _described(self.fn)


def _described(fn: Callable[..., Any]) -> str:
    if isinstance(fn, functools.partial):
        given = [repr(value) for value in fn.args] + [f"{name}={value!r}" for name, value in fn.keywords.items()]
        return ", ".join([_described(fn.func), *given])
    name = getattr(fn, "__qualname__", None) or getattr(fn, "__name__", None)
    place = getattr(fn, "__module__", None)
    if name is None:
        return repr(fn)
    return f"{place}.{name}" if place else str(name)
