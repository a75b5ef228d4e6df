"""Taint: the tensors that a model input flows into are activations."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator

from torch import Tensor

from qprep.tracing.leaves import named_leaves


class _Mark(weakref.ref[Tensor]):
    """A weak reference that knows the id of its tensor after the tensor is gone."""

    __slots__ = ("key",)
    key: int


class Taint:
    """A set of tensors by identity that keeps none of them alive."""

    def __init__(self) -> None:
        self._marks: dict[int, _Mark] = {}

    def __len__(self) -> int:
        return len(self._marks)

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Mark each of `tensors`."""
        for tensor in tensors:
            if id(tensor) not in self._marks:
                mark = _Mark(tensor, self._forget)
                mark.key = id(tensor)
                self._marks[mark.key] = mark

    def reaches(self, tensors: Iterable[Tensor]) -> bool:
        """True if any of `tensors` is marked."""
        return any(id(tensor) in self._marks for tensor in tensors)

    def _forget(self, mark: weakref.ref[Tensor]) -> None:
        if isinstance(mark, _Mark):
            self._marks.pop(mark.key, None)


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors among the arguments or results of one torch function."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)


def tensors_within(value: object) -> Iterator[Tensor]:
    """The tensors anywhere in what a model takes or returns."""
    return (leaf for _, leaf in named_leaves(value, "") if isinstance(leaf, Tensor))
