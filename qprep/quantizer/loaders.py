"""A loader as it is named on the command line: read again for each pass, watched, on the model's device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import batches_of, required_inputs, takes

Watch = Callable[[str, int, int | None], None]  # what is being done, how much of it is, of how much where that is known


def ignore(_what: str, _done: int, _total: int | None) -> None:
    """The watch of nobody."""


class LoaderError(QprepError):
    """A loader raised an error, which is the cause of this one."""

    def __init__(self, what: str, cause: BaseException) -> None:
        super().__init__(f"{what}: {type(cause).__name__}: {cause}")
        self.what = what


class Batches:
    """The loader that `--calibrate` names: an iterable of batches, or a function that returns one each time.

    limit   how many batches count, None for all
    device  where their tensors go

    Raises QprepError, naming `source`, for anything else, and LoaderError if the loader raises an error.
    """

    def __init__(
        self, found: object, source: str, *, limit: int | None = None, device: str = "cpu", watch: Watch = ignore
    ) -> None:
        self.doing = "reading"
        self.source, self._limit, self._device, self._watch = source, limit, device, watch
        self._given: Any = found
        self._counted: int | None = None  # by the first pass
        self._again = callable(found) and not hasattr(found, "__iter__")
        if not self._again and isinstance(found, Iterator):
            self._given = list(itertools.islice(self._read(found), limit))
        if not self._again:
            self._checked(found)

    def __len__(self) -> int:
        if self._again or not hasattr(self._given, "__len__"):
            raise TypeError(f"the number of batches of {self.source} is not known")
        number = len(self._checked(self._given))
        return number if self._limit is None else min(number, self._limit)

    def __iter__(self) -> Iterator[object]:
        batches = self._checked(self._opened() if self._again else self._given)
        total = len(batches) if hasattr(batches, "__len__") else self._counted
        total = self._limit if total is None or (self._limit is not None and self._limit < total) else total
        self._watch(self.doing, 0, total)
        done = 0
        for done, batch in enumerate(itertools.islice(self._read(batches), self._limit), 1):
            yield batch if self._device == "cpu" else pytree.tree_map(self._move, batch)
            self._watch(self.doing, done, total)
        self._counted = done

    def _opened(self) -> object:
        try:
            return self._given()
        except Exception as error:
            raise LoaderError(f"{self.source} failed", error) from error

    def _read(self, batches: Any) -> Iterator[object]:  # noqa: ANN401  (any iterable)
        reading = iter(batches)
        for number in itertools.count(1):
            try:
                batch = next(reading)
            except StopIteration:
                return
            except Exception as error:
                raise LoaderError(f"{self.source} failed at batch {number}", error) from error
            yield batch

    def _checked(self, loader: object) -> Any:  # noqa: ANN401  (any iterable)
        try:
            return batches_of(loader)
        except QprepError as error:
            raise QprepError(f"{self.source}: {error}") from error

    def _move(self, leaf: object) -> object:
        return leaf.to(self._device) if isinstance(leaf, Tensor) else leaf


def example_of(model: nn.Module, batches: Batches) -> tuple[tuple[object, ...], dict[str, object]]:
    """Positional and keyword inputs as the first batch holds them; QprepError if there is none."""
    batch = next(iter(batches), None)
    if batch is None:
        raise QprepError(f"{batches.source}: expected at least one batch, found an empty loader")
    if isinstance(batch, Tensor):
        return (batch,), {}
    if isinstance(batch, dict):
        return (), takes(model, batch)
    if isinstance(batch, (tuple, list)):
        return tuple(batch[: max(len(required_inputs(model)), 1)]), {}
    raise QprepError(f"expected batches of tensors, tuples or dicts, found {type(batch).__name__}")
