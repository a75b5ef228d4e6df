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
    """A constant repeated to a shape that follows the batch: a first state of zeros, a token for each row."""

    value: Tensor
    shape: tuple[Dim, ...]


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
    return Recording(steps, one.inputs, one.input_tensors, one.outputs, one.returned)


def shape_of(one: Sequence[int], other: Sequence[int], batches: tuple[int, int]) -> tuple[Dim, ...]:
    """A shape from those of both runs."""
    if len(one) != len(other):
        raise _Differs
    return tuple(_number(a, b, batches) for a, b in zip(one, other, strict=True))


def _step(one: Step, other: Step, batches: tuple[int, int]) -> Step:
    if (one.name, one.outputs, one.path) != (other.name, other.outputs, other.path):
        raise _Differs
    shapes: Any = tuple(shape_of(a, b, batches) for a, b in zip(one.shapes, other.shapes, strict=True))
    return replace(one, arguments=_value(one.arguments, other.arguments, batches), shapes=shapes)


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
    core = one
    for axis, size in enumerate(shape):
        if isinstance(size, Size):
            core = core.narrow(axis, 0, 1)
    if not torch.equal(core.expand_as(one), one) or not torch.equal(core.expand_as(other), other):
        raise _Differs
    return Spread(core.detach().clone(), shape)
