"""The integers that encode a converted model's parameters, as runtimes store them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.affine import QParams, dequantize, fake_quantize, grouped, quantize, ungrouped
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer


def integers(slot: TensorQuantizer, parameter: Tensor) -> tuple[Tensor, QParams]:
    """The integers (int32) of a converted parameter and their grid.

    Where a method rounds by a function of its own, the grid is what its values are multiples of. Raises QprepError
    where they are multiples of nothing.
    """
    values = parameter.detach()
    params = slot.grid
    ints = quantize(values, params)
    if torch.allclose(dequantize(ints, params), values.float(), rtol=_precision(values), atol=1e-8):
        return ints, params
    steps = values.abs()[values != 0]
    scale = steps.min().float() if steps.numel() else torch.ones(())
    ints = torch.round(values / scale).to(torch.int32)
    limit = int(ints.abs().max())
    if limit >= 2**15 or not torch.allclose(ints * scale, values.float(), rtol=1e-3):
        raise QprepError(f"expected the values of {slot.name} on an evenly spaced grid, found them on none")
    return ints, QParams(scale, torch.zeros((), dtype=torch.int32), -limit, limit)


def _precision(values: Tensor) -> float:
    """The tolerance for values on a grid: that of the narrowest type of `values`."""
    for kind in (torch.bfloat16, torch.float16):
        if torch.equal(values.to(kind).to(values.dtype), values):
            return torch.finfo(kind).eps
    return 1e-4


def per_element(values: Tensor, ints: Tensor, params: QParams) -> Tensor:
    """A scale or zero point so that it broadcasts to `ints`: one, one a channel, or (groups) one an element."""
    if params.axis is None:
        return values.reshape(())
    if params.group_size:
        rows, _ = grouped(ints, params.axis, params.group_size)
        return ungrouped(values.reshape(-1, 1).expand_as(rows), ints, params.axis)
    shape = [1] * ints.dim()
    shape[params.axis] = -1
    return values.reshape(shape)


def is_on(grid: QParams, given: Tensor, found: Tensor) -> bool:
    """True if `found` is `given` on `grid`, rounded to either side."""
    scale = per_element(grid.scale, given, grid)
    level = found.float() / scale
    near = (level - level.round()).abs() <= 0.01 + 2 * torch.finfo(found.dtype).eps * level.abs()
    slack = 1.01 * scale + 2 * torch.finfo(found.dtype).eps * found.float().abs()
    rounded = (fake_quantize(given.float(), grid) - found).abs() <= slack
    return bool((near & rounded).all())


def narrowest_type(low: int, high: int) -> torch.dtype:
    """The narrowest type that holds integers from `low` to `high`."""
    for kind in (torch.int8, torch.uint8, torch.int16):
        info: Any = torch.iinfo(kind)
        if info.min <= low and high <= info.max:
            return kind
    return torch.int32
