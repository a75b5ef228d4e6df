"""Which tensors are activations: those that a model input flows into."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor


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
        """Whether any of `tensors` is marked."""
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
    """The tensors anywhere in what a model takes or returns: containers, mappings, dataclasses, plain objects."""
    pending, seen = [value], set[int]()
    while pending:
        item = pending.pop(0)
        if isinstance(item, Tensor):
            yield item
        elif id(item) not in seen:
            seen.add(id(item))
            pending[:0] = _parts(item)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (tuple, list, set, frozenset)):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, type) or callable(value):
        return []
    return list(getattr(value, "__dict__", {}).values())
