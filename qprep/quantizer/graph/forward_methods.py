# ruff: noqa: ANN401 -- arguments of any forward
"""A quantization method as a decorator of forward: a layer that quantizes by itself, owned by the quantizer as one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from torch import nn

from qprep.foundation.errors import QprepError

_MARK: Final = "__quantization_method__"

Forward = Callable[..., Any]
Method = Callable[..., Any]


def forward_method(method: Method) -> Callable[[Forward], Forward]:
    """Make a decorator of `forward` from `method(module, forward, *args, **kwargs)`, which calls `forward(*args)`.

    A module with a decorated forward is one operation, whatever is inside, prepared or not. It quantizes by itself, so
    the quantizer puts no slots around it; `notes` names it with its method.

        @forward_method
        def rounded(module, forward, input):
            return forward(input.round())

        class Conv2d(nn.Conv2d):
            @rounded
            def forward(self, input):
                return super().forward(input)
    """
    if not callable(method):
        raise QprepError(f"expected a function as a quantization method, found {method!r}")

    def decorate(forward: Forward) -> Forward:
        @functools.wraps(forward)
        def quantized(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            return method(self, functools.partial(forward, self), *args, **kwargs)

        setattr(quantized, _MARK, str(getattr(method, "__name__", type(method).__name__)))
        return quantized

    return decorate


def method_of(module: nn.Module) -> str | None:
    """The name of the method that decorates a module's forward; None if none does."""
    found = getattr(type(module).forward, _MARK, None)
    return found if isinstance(found, str) else None


def decorated(model: nn.Module) -> tuple[type[nn.Module], ...]:
    """The classes of modules in `model` whose forward is decorated, except for the model's own."""
    kinds = (type(module) for module in model.modules() if module is not model and method_of(module) is not None)
    return tuple(dict.fromkeys(kinds))
