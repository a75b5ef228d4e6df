# ruff: noqa: ANN401 -- values of any kind
"""Sizes that are free: found by comparing runs in which one input size after another is larger by one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from qprep.quantizer.backends.onnx.run_record import Recording, Ref, Step


@dataclass(frozen=True, slots=True)
class Size:
    """A sum of products of free sizes: 2 · batch · length + 1 is ((("batch", "length"), 2), ((), 1))."""

    terms: tuple[tuple[tuple[str, ...], int], ...]

    def __str__(self) -> str:
        parts = ["*".join([*([] if factor == 1 and names else [str(factor)]), *names]) for names, factor in self.terms]
        return "+".join(parts)


Dim = int | Size


@dataclass(frozen=True, slots=True)
class Spread:
    """A constant repeated to a shape that follows free sizes: a first state of zeros, a token for each row.

    slopes   (dimension, step) along which it grows: the numbers of rows
    example  the tensor of the first run
    """

    value: Tensor
    shape: tuple[Dim, ...]
    slopes: tuple[tuple[int, float], ...]
    example: Tensor


@dataclass(frozen=True, slots=True)
class SizeRuns:
    """The sizes of the runs: in run n the size `names[i]` is one larger than `sizes[i]` if bit i of n is set."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def number(self) -> int:
        """The number of runs."""
        return 1 << len(self.names)

    def dim(self, values: Sequence[int]) -> Dim:
        """The expression, linear in each size, with these values: the number itself if all are equal."""
        if len(set(values)) == 1:
            return values[0]
        terms: dict[tuple[str, ...], int] = {}
        places = range(len(self.names))
        for subset in _subsets(places):
            slope = 0
            for inner in _subsets(subset):
                value = values[sum(1 << at for at in inner)]
                slope += -value if (len(subset) - len(inner)) % 2 else value
            for kept in _subsets(subset):
                shift = 1
                for at in set(subset) - set(kept):
                    shift *= -self.sizes[at]
                names = tuple(self.names[at] for at in kept)
                terms[names] = terms.get(names, 0) + slope * shift
        found = sorted(((names, factor) for names, factor in terms.items() if factor), key=lambda term: -len(term[0]))
        return Size(tuple(found))


def _subsets(places: Sequence[int]) -> list[tuple[int, ...]]:
    return [each for size in range(len(places) + 1) for each in itertools.combinations(places, size)]


class _Differs(Exception):  # noqa: N818
    """Two runs did not call the same."""


def merged(recordings: Sequence[Recording], runs: SizeRuns) -> Recording | None:
    """The first with a `Size` wherever they have other numbers; None if they differ in more than that."""
    if len({len(each.steps) for each in recordings}) > 1:
        return None
    try:
        steps = [_step(each, runs) for each in zip(*(each.steps for each in recordings), strict=True)]
    except _Differs:
        return None
    return replace(recordings[0], steps=steps)


def shape_of(shapes: Sequence[Sequence[int]], runs: SizeRuns) -> tuple[Dim, ...]:
    """A shape from those of all runs."""
    if len({len(shape) for shape in shapes}) > 1:
        raise _Differs
    return tuple(runs.dim(sizes) for sizes in zip(*shapes, strict=True))


def _step(steps: Sequence[Step], runs: SizeRuns) -> Step:
    one = steps[0]
    if any((each.name, each.outputs, each.path) != (one.name, one.outputs, one.path) for each in steps):
        raise _Differs
    shapes = tuple(shape_of(each, runs) for each in zip(*(step.shapes for step in steps), strict=True))
    arguments, called = _value([(each.arguments, each.called) for each in steps], runs)
    return replace(one, arguments=arguments, called=called, shapes=shapes)  # type: ignore[arg-type]  # Dims for ints


def _value(values: Sequence[Any], runs: SizeRuns) -> Any:
    one = values[0]
    if any(type(each) is not type(one) for each in values):
        raise _Differs
    if isinstance(one, bool) or one is None or isinstance(one, (float, str, Ref, torch.dtype)):
        if any(each != one for each in values):
            raise _Differs
        return one
    if isinstance(one, int):
        return runs.dim(values)
    if isinstance(one, Tensor):
        return _tensor(values, runs)
    if isinstance(one, Recording):
        return _body(values, runs)
    if isinstance(one, slice):
        return slice(*(_value([getattr(each, name) for each in values], runs) for name in ("start", "stop", "step")))
    if isinstance(one, dict):
        return {name: _value([each.get(name) for each in values], runs) for name in one}
    if isinstance(one, (tuple, list)):
        if len({len(each) for each in values}) > 1:
            raise _Differs
        return tuple(_value(each, runs) for each in zip(*values, strict=True))
    return one


def _body(values: Sequence[Recording], runs: SizeRuns) -> Recording:
    found = merged(values, runs)
    if found is None:
        raise _Differs
    return found


def _tensor(values: Sequence[Tensor], runs: SizeRuns) -> Any:
    one = values[0]
    if all(each.shape == one.shape for each in values):
        if any(each is not one and not torch.equal(each, one) for each in values):
            raise _Differs
        return one
    shape = shape_of([each.shape for each in values], runs)
    core, slopes = one, []
    for axis, size in enumerate(shape):
        if isinstance(size, Size):
            core = core.narrow(axis, 0, 1)
            step = _slope(max(values, key=lambda each: each.shape[axis]), axis)
            slopes += [(axis, step)] if step else []
    for each in values:
        if not torch.equal(grown(core, each.shape, slopes), each):
            raise _Differs
    return Spread(core.detach().clone(), shape, tuple(slopes), one.detach())


def _slope(tensor: Tensor, axis: int) -> float:
    """By how much the numbers grow from one place along a dimension to the next."""
    if tensor.dtype is torch.bool or tensor.shape[axis] < 2 or not tensor.numel():
        return 0
    return float((tensor.select(axis, 1) - tensor.select(axis, 0)).detach().flatten()[0])


def grown(core: Tensor, shape: Sequence[int], slopes: Sequence[tuple[int, float]]) -> Tensor:
    """`core` repeated to `shape`, plus step · place along each dimension of `slopes`."""
    found = core.expand(tuple(shape))
    for axis, step in slopes:
        places = torch.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - axis - 1))
        found = found + (places * step).to(core.dtype)
    return found


Free = Mapping[int, Mapping[int, str]]  # by the number of an input and its dimension, the name of its size


def enlarged(tensors: Sequence[Tensor], free: Free, names: Sequence[str]) -> list[Tensor]:
    """The inputs with one more row along each dimension whose size has one of `names`."""
    found = list(tensors)
    for number, axes in free.items():
        for axis, name in axes.items():
            if name in names:
                found[number] = torch.cat([found[number], found[number].narrow(axis, 0, 1)], axis)
    return found
