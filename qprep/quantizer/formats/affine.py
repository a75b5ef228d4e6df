"""Affine quantization: scale and zero point from a range, and the arithmetic, which is torch's own.

Conventions are torch's and ONNX's: q = clamp(round(x / s) + z, n, p) and x = (q - z) s, rounding half to even.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.grid import by_passes, captured, straight_through
from qprep.quantizer.formats.spec import Granularity, Scheme, Spec

SCALE_FLOOR: Final = torch.finfo(torch.float32).eps  # no scale is smaller


@dataclass(frozen=True, slots=True)
class QParams:
    """Scale (float32) and zero point (int32), both of shape () or (channels,), and the integers' limits.

    axis        the channel dimension, None per tensor
    group_size  elements that share a scale behind `axis`; 0 where a channel has one
    """

    scale: Tensor
    zero_point: Tensor
    low: int
    high: int
    axis: int | None = None
    group_size: int = 0


def qparams(spec: Spec, low: Tensor, high: Tensor) -> QParams:
    """Scale and zero point for values in [low, high] (shape () or (channels,)).

    Zero is always representable. A range of zero width gives scale 1; a scale is at least float32's epsilon. Raises
    QprepError if low > high, or a bound is NaN or infinite.
    """
    _check_range(low, high)
    low, high = low.detach().float().clamp(max=0), high.detach().float().clamp(min=0)
    n, p = spec.limits
    scale = _floored(_scale(spec, low, high, n, p), high - low)
    zero = torch.zeros_like(scale)
    if spec.scheme is Scheme.ASYMMETRIC:
        zero = (n - torch.round(low / scale)).clamp(n, p)
    axis = None if spec.granularity is Granularity.TENSOR else spec.axis
    group = spec.group_size if spec.granularity is Granularity.GROUP else 0
    return QParams(scale, zero.to(torch.int32), n, p, axis, group)


def _check_range(low: Tensor, high: Tensor) -> None:
    if torch.compiler.is_compiling():  # a graph cannot branch on values
        return
    if not bool(torch.isfinite(low).all() and torch.isfinite(high).all()):
        raise QprepError(f"expected a finite range, found [{low.min().item()}, {high.max().item()}]")
    if bool((low > high).any()):
        raise QprepError(f"expected a minimum below the maximum, found [{low.max().item()}, {high.min().item()}]")


def _scale(spec: Spec, low: Tensor, high: Tensor, n: int, p: int) -> Tensor:
    if spec.scheme is Scheme.ASYMMETRIC:
        return (high - low) / (p - n)
    if spec.scheme is Scheme.UNSIGNED:
        return high / p
    largest = torch.maximum(-low, high)
    if spec.scheme is Scheme.RESTRICTED:
        return largest / p
    if spec.scheme is Scheme.SYMMETRIC:
        return largest / ((p - n) / 2)
    # TQT (Jain et al., arXiv:1903.08066): s = 2^ceil(log2 t) / 2^(b-1).
    return torch.exp2(torch.ceil(torch.log2(largest.clamp(min=SCALE_FLOOR)))) / (p + 1)


def _floored(scale: Tensor, width: Tensor) -> Tensor:
    return torch.where(width == 0, torch.ones_like(scale), scale.clamp(min=SCALE_FLOOR))


def fake_quantize(input: Tensor, params: QParams) -> Tensor:
    """`input` rounded to what the integers can say, as torch.fake_quantize_*; gradients straight through inside."""
    if input.dtype != torch.float32:
        return fake_quantize(input.float(), params).to(input.dtype)
    if params.axis is None:
        if by_passes(input):
            zero = int(params.zero_point)
            return straight_through(input, params.scale, params.low - zero, params.high - zero)
        if torch.compiler.is_compiling() and input.requires_grad:  # torch's kernel has no form for a graph then
            return captured(input, params.scale, params.low - params.zero_point, params.high - params.zero_point)
        return torch.fake_quantize_per_tensor_affine(input, params.scale, params.zero_point, params.low, params.high)
    rows, axis = grouped(input, params.axis, params.group_size)
    if by_passes(input) and not bool(params.zero_point.any()):
        done = straight_through(rows, _along(params.scale, rows, axis), params.low, params.high)
    else:
        done = torch.fake_quantize_per_channel_affine(
            rows, params.scale, params.zero_point, axis, params.low, params.high
        )
    return done if rows is input else ungrouped(done, input, params.axis)


def quantize(input: Tensor, params: QParams) -> Tensor:
    """The integers of `input`, as int32."""
    if params.axis is None:
        whole = torch.round(input.float() / params.scale) + params.zero_point
        return whole.clamp(params.low, params.high).to(torch.int32)
    rows, axis = grouped(input.float(), params.axis, params.group_size)
    scale, zero = _along(params.scale, rows, axis), _along(params.zero_point, rows, axis)
    whole = (torch.round(rows / scale) + zero).clamp(params.low, params.high).to(torch.int32)
    return whole if params.group_size == 0 else ungrouped(whole, input, params.axis)


def dequantize(input: Tensor, params: QParams) -> Tensor:
    """The values of integers, as float32."""
    if params.axis is None:
        return (input - params.zero_point).float() * params.scale
    rows, axis = grouped(input, params.axis, params.group_size)
    values = (rows - _along(params.zero_point, rows, axis)).float() * _along(params.scale, rows, axis)
    return values if params.group_size == 0 else ungrouped(values, input, params.axis)


def grouped(input: Tensor, axis: int, group_size: int) -> tuple[Tensor, int]:
    """`input` with one row per scale, and the dimension of rows: (channels · groups, group_size) and 0, per group.

    Where groups do not divide a channel its last one is filled up with zeros.
    """
    if group_size == 0:
        return input, axis
    rows = input.movedim(axis, 0).reshape(input.shape[axis], -1)
    missing = -rows.shape[1] % group_size
    return (functional.pad(rows, (0, missing)) if missing else rows).reshape(-1, group_size), 0


def ungrouped(rows: Tensor, like: Tensor, axis: int) -> Tensor:
    """The inverse of `grouped`, of the shape of `like`."""
    moved = like.movedim(axis, 0)
    filled = rows.reshape(moved.shape[0], -1)
    return filled[:, : moved[0].numel()].reshape(moved.shape).movedim(0, axis)


def _along(values: Tensor, rows: Tensor, axis: int) -> Tensor:
    shape = [1] * rows.dim()
    shape[axis] = -1
    return values.reshape(shape)
