"""Calls of torch's functions under the names of the operator catalogue: which row, which argument is what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from qprep.foundation.catalogue.call_signature import ArgumentKind, Spelling
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Op, OpClass
from qprep.tracing.op_lookup import Operations

# What Python calls for `2 - x`: the operands stand in the other order.
_REFLECTED = ("__rsub__", "__rtruediv__", "__rfloordiv__", "__rpow__", "__rmatmul__", "__rmod__")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a torch function.

    name       the row's name, or the function's own where the catalogue does not know it
    op         the row
    arguments  what was given, by the row's names of parameters; defaults are not in it
    in_place   whether the first argument is overwritten
    """

    name: str
    op: Op | None
    arguments: dict[str, Any]
    in_place: bool

    @property
    def computes(self) -> bool:
        """True if values change: what is not known is taken to change them."""
        return self.op is None or self.op.cls is OpClass.COMPUTE

    @property
    def is_layout(self) -> bool:
        """True if values only move."""
        return self.op is not None and self.op.cls is OpClass.TRANSPARENT


class Calls:
    """Binds calls; built once."""

    def __init__(self) -> None:
        catalogue = load()
        self._operations = Operations(catalogue.ops)
        self._rows = {op.name: op for op in catalogue.ops}
        self._spelling: dict[Callable[..., Any], Spelling] = {}
        self._first: dict[str, tuple[Spelling, ...]] = {}
        for op in catalogue.ops:
            spellings = self._first[op.name] = catalogue.spellings(op)
            for spelling in spellings:
                function = _resolve(spelling.qualified)
                if function is not None:
                    self._spelling.setdefault(function, spelling)

    def bind(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The call of `function` as a function mode or a tensor subclass sees it."""
        written = str(getattr(function, "__name__", ""))
        operation = self._operations.of(function)
        op = self._rows.get(operation.name)
        if op is None and written == "__get__":  # an attribute: `x.mT`
            return Call(operation.name, None, {"input": args[0]}, False)
        if op is None:
            return Call(operation.name, None, {str(index): each for index, each in enumerate(args)} | kwargs, False)
        if written in _REFLECTED and operation.name != "rsub":
            args = args[::-1]
        spelling = self._spelling.get(function)
        if spelling is None:
            spellings = self._first[op.name]
            spelling = next((each for each in spellings if each.is_method), spellings[0])
        in_place = (spelling.is_inplace and not _is_dunder(written)) or written.startswith("__i")
        bound = _bound(spelling, args, kwargs)
        return Call(op.name, op, bound, in_place or bound.get("inplace") is True)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _resolve(qualified: str) -> Callable[..., Any] | None:
    root, _, rest = qualified.partition(".")
    value: Any = {"torch": torch, "Tensor": torch.Tensor}.get(root)
    for part in rest.split("."):
        value = getattr(value, part, None)
    return value if callable(value) else None


def _bound(spelling: Spelling, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    left = list(args)
    for parameter in spelling.parameters:
        if parameter.kind is ArgumentKind.VARARGS:
            if left:
                one = left[0]
                found[parameter.name] = one if len(left) == 1 and not isinstance(one, int) else tuple(left)
            left = []
        elif parameter.kind is not ArgumentKind.KEYWORD_ONLY and left:
            found[parameter.name] = left.pop(0)
    for keyword, value in kwargs.items():
        known = spelling.parameter(keyword)
        found[keyword if known is None else known.name] = value
    return found | {f"extra{index}": value for index, value in enumerate(left)}


@lru_cache(maxsize=1)
def calls() -> Calls:
    """The binder of the whole catalogue."""
    return Calls()
