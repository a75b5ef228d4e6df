# ruff: noqa: ANN401 -- values of any kind
"""Choices between integers; what a mask writes may lie far outside of the grid that it is written into."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from qprep.quantizer.backends.integer.integer_layers import operand
from qprep.quantizer.backends.integer.integer_tensor import ACCUMULATOR, IntegerTensor, aligned
from qprep.quantizer.graph.call_rows import Call

_ROOM: Final = 2.0**58  # levels that infinity may take
_FINER: Final = 12  # by so many bits a value that is on no level is finer than the integers beside it
_NOTHING: Final = 30.0  # e^-30 is nothing beside 1


def filled(x: IntegerTensor, mask: Tensor, value: float) -> IntegerTensor:
    """`value` where `mask` holds: on the grid of `x` where it is a level of it."""
    x = _with_room(x.uniform())
    level = value / float(x.scale)
    if abs(level) < 2**x.bits and level != round(level) and x.bits + _FINER <= ACCUMULATOR:
        x = x.rescaled(x.scale * 2.0**-_FINER, x.bits + _FINER)
    level = round(max(-_beyond(x), min(value / float(x.scale), _beyond(x))))
    ints = torch.where(mask, torch.tensor(level), x.ints.to(torch.int64))
    is_level = x.grid is not None and x.grid.low <= level + x.grid.zero <= x.grid.high
    return IntegerTensor(ints, x.scale, max(x.bits, abs(level).bit_length()), x.grid if is_level else None)


def masked_sum(x: IntegerTensor, mask: Any) -> IntegerTensor | None:
    """The sum with a mask of zeros and what lies far below; None if `mask` is something else."""
    mask = mask.to_float() if isinstance(mask, IntegerTensor) else mask
    if not isinstance(mask, Tensor) or not mask.is_floating_point():
        return None
    far = mask < -_NOTHING
    if not bool(far.any()) or bool(mask[~far].any()):
        return None
    x = _with_room(x.uniform())
    furthest = _beyond(x)
    levels = torch.round(mask.double() / x.scale).clamp(min=-furthest).to(torch.int64)
    return IntegerTensor(x.ints.to(torch.int64) + levels, x.scale, max(x.bits, furthest.bit_length()) + 1)


def _beyond(x: IntegerTensor) -> int:
    """The level of infinity, above twice the largest level of `x` and of what a softmax keeps."""
    far = 1 << (x.bits + 2)
    return max(far, math.ceil(2 * _NOTHING / float(x.scale)), (1 << ACCUMULATOR) - 1)


def _with_room(x: IntegerTensor) -> IntegerTensor:
    """On a scale that leaves room for infinity in an int64."""
    coarser = math.ceil(math.log2(max(2.0 ** (x.bits + 2), 2 * _NOTHING / float(x.scale)) / _ROOM))
    return x if coarser <= 0 else x.rescaled(x.scale * 2.0**coarser, max(x.bits - coarser, 0) + 1)


def _masked_fill(call: Call) -> Any:
    x, value = call.arguments["input"], _number(call.arguments.get("value"))
    if not isinstance(x, IntegerTensor) or value is None:
        return NotImplemented
    return filled(x, call.arguments["mask"], value)


def _where(call: Call) -> Any:
    condition, left, right = (call.arguments.get(name) for name in ("condition", "input", "other"))
    if condition is None or isinstance(condition, IntegerTensor):
        return NotImplemented
    for x, other, mask in ((left, right, ~condition), (right, left, condition)):
        value = _number(other)
        if isinstance(x, IntegerTensor) and value is not None:
            return filled(x, mask, value)
    one, two = operand(left), operand(right)
    if one is None or two is None:
        return NotImplemented
    together = aligned([one, two])
    ints = torch.where(condition, together[0].ints.to(torch.int64), together[1].ints.to(torch.int64))
    grid = one.grid if one.grid == two.grid else None
    return IntegerTensor(ints, together[0].scale, max(each.bits for each in together), grid)


def _number(value: Any) -> float | None:
    if isinstance(value, Tensor) and not isinstance(value, IntegerTensor) and value.numel() == 1:
        value = float(value)
    return float(value) if isinstance(value, int | float) and value == value else None  # noqa: PLR0124  (not NaN)


FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType({"masked_fill": _masked_fill, "where": _where})
