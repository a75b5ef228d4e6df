# ruff: noqa: ANN401 -- values of any kind
"""Sizes that follow the batch: found by comparing two runs with batches of different size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from qprep.quantizer.backends.onnx.run_record import Recording, Ref, Step


@dataclass(frozen=True, slots=True)
class Size:
    """factor · batch + rest."""

    factor: int
    rest: int


Dim = int | Size


@dataclass(frozen=True, slots=True)
class Spread:
    """A constant repeated to a shape that follows the batch: a first state of zeros, a token for each row.

    slopes  (dimension, step) along which it grows: the numbers of rows
    """

    value: Tensor
    shape: tuple[Dim, ...]
    slopes: tuple[tuple[int, float], ...] = ()


class _Differs(Exception):  # noqa: N818
    """Two runs did not call the same."""


def merged(one: Recording, other: Recording, batches: tuple[int, int]) -> Recording | None:
    """`one` with a `Size` wherever the two runs have other numbers; None where they differ in more than that."""
    if len(one.steps) != len(other.steps):
        return None
    try:
        steps = [_step(a, b, batches) for a, b in zip(one.steps, other.steps, strict=True)]
    except _Differs:
        return None
    return replace(one, steps=steps)


def shape_of(one: Sequence[int], other: Sequence[int], batches: tuple[int, int]) -> tuple[Dim, ...]:
    """A shape from those of both runs."""
    if len(one) != len(other):
        raise _Differs
    return tuple(_number(a, b, batches) for a, b in zip(one, other, strict=True))


def _step(one: Step, other: Step, batches: tuple[int, int]) -> Step:
    if (one.name, one.outputs, one.path) != (other.name, other.outputs, other.path):
        raise _Differs
    shapes: Any = tuple(shape_of(a, b, batches) for a, b in zip(one.shapes, other.shapes, strict=True))
    arguments, called = _value((one.arguments, one.called), (other.arguments, other.called), batches)
    return replace(one, arguments=arguments, called=called, shapes=shapes)


def _number(one: int, other: int, batches: tuple[int, int]) -> Dim:
    if one == other:
        return one
    factor, remainder = divmod(other - one, batches[1] - batches[0])
    if remainder:
        raise _Differs
    return Size(factor, one - factor * batches[0])


def _value(one: Any, other: Any, batches: tuple[int, int]) -> Any:
    if type(one) is not type(other):
        raise _Differs
    if isinstance(one, bool) or one is None or isinstance(one, (float, str, Ref, torch.dtype)):
        if one != other:
            raise _Differs
        return one
    if isinstance(one, int):
        return _number(one, other, batches)
    if isinstance(one, Tensor):
        return _tensor(one, other, batches)
    if isinstance(one, slice):
        parts = ((getattr(one, name), getattr(other, name)) for name in ("start", "stop", "step"))
        return slice(*(_value(a, b, batches) for a, b in parts))
    if isinstance(one, Recording):
        found = merged(one, other, batches)
        if found is None:
            raise _Differs
        return found
    if isinstance(one, dict):
        return {name: _value(one[name], other.get(name), batches) for name in one}
    if isinstance(one, (tuple, list)):
        if len(one) != len(other):
            raise _Differs
        return tuple(_value(a, b, batches) for a, b in zip(one, other, strict=True))
    return one


def _tensor(one: Tensor, other: Tensor, batches: tuple[int, int]) -> Any:
    if one.shape == other.shape:
        if one is not other and not torch.equal(one, other):
            raise _Differs
        return one
    shape = shape_of(one.shape, other.shape, batches)
    core, slopes = one, []
    for axis, size in enumerate(shape):
        if isinstance(size, Size):
            core = core.narrow(axis, 0, 1)
            step = _slope(other, axis)
            slopes += [(axis, step)] if step else []
    for each in (one, other):
        if not torch.equal(grown(core, each.shape, slopes), each):
            raise _Differs
    return Spread(core.detach().clone(), shape, tuple(slopes))


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
