"""Rows of the operator catalogue by torch functions seen at run time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from qprep.foundation.catalogue.op import Op, OpClass


@dataclass(frozen=True, slots=True)
class KnownOperation:
    """A torch function: its canonical name, and whether it changes values."""

    name: str
    compute: bool


class Operations:
    """Looks torch functions up by identity, then by name; what the catalogue does not know counts as compute."""

    def __init__(self, catalogue: Iterable[Op]) -> None:
        self._known: dict[Callable[..., Any], KnownOperation] = {}
        self._named: dict[str, KnownOperation] = {}
        for op in catalogue:
            operation = KnownOperation(op.name, op.cls is OpClass.COMPUTE)
            for spelling in op.spellings:
                self._learn(spelling.partition("(")[0], operation)

    def of(self, function: Callable[..., Any]) -> KnownOperation:
        """The operation that `function` (as a TorchFunctionMode sees it) refers to."""
        known = self._known.get(function)
        if known is None:
            known = self._known[function] = self._by_name(function)
        return known

    def _learn(self, qualified: str, operation: KnownOperation) -> None:
        root, _, rest = qualified.partition(".")
        if root in ("torch", "Tensor"):
            function = _resolve(torch if root == "torch" else torch.Tensor, rest)
            if function is not None:
                self._known.setdefault(function, operation)
        self._named.setdefault(rest.rpartition(".")[2], operation)

    def _by_name(self, function: Callable[..., Any]) -> KnownOperation:
        name = str(getattr(function, "__name__", function)).partition(".")[0]
        if name in ("__get__", "__set__"):  # attributes: x.T, x.data, x.shape
            return KnownOperation(name, compute=False)
        for candidate in _candidates(name):
            if candidate in self._named:
                return self._named[candidate]
        return KnownOperation(name, compute=True)


def _resolve(root: object, dotted: str) -> Callable[..., Any] | None:
    value = root
    for part in dotted.split("."):
        value = getattr(value, part, None)
    return value if callable(value) else None


def _candidates(name: str) -> list[str]:
    """`add_` is found as add; `__rsub__` as rsub, `__radd__` and `__iadd__` as add."""
    if not (name.startswith("__") and name.endswith("__")):
        return [name, name.rstrip("_")]
    inner = name[2:-2]
    return [inner, f"{inner}_", inner[1:] if inner[:1] in ("r", "i") else inner]
