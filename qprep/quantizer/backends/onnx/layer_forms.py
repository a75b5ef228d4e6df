# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of layers with weights and of products."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from qprep.quantizer.backends.onnx.builder import Builder, Quantized, Value, WrittenLayer
from qprep.quantizer.backends.onnx.run_record import Ref
from qprep.quantizer.backends.onnx.sizes import Dim
from qprep.quantizer.formats.affine import QParams, dequantize
from qprep.quantizer.formats.stored import integers
from qprep.quantizer.graph.layer_rows import per_dimension

Form = Callable[[Builder, dict[str, Any]], Any]

_LARGEST: Final = 2.0**30  # of a bias in int32


def _layer(
    b: Builder, x: Value, given: dict[str, Any], write: Callable[[str, str, str | None], str], axis: int = 0
) -> Value:
    """`write(x, weight, bias)` with an int32 bias at the product of both scales where there is one.

    axis  the dimension of the weight that channels of the output are along
    """
    weight, bias = given["weight"], given.get("bias")
    constant = bias if isinstance(bias, Tensor) else None

    def again(value: Value, shift: Tensor | None) -> str:
        value, name = (value, None) if shift is None else _biased(b, x, value, shift, axis)
        return write(b.float(x), b.float(value), name)

    stored = b.value(weight)
    if isinstance(bias, Ref) or stored.quantized is None:
        name = None if bias is None else b.float(bias)
        return Value((), torch.float32, write(b.float(x), b.float(stored), name))
    found = Value((), torch.float32, again(stored, constant))
    slot = b.slots.get(weight)
    makes_channels = len(b.outputs[0]) == len(stored.shape)
    if slot is not None and isinstance(weight, Tensor) and makes_channels and not stored.quantized.params.group_size:
        ints, params = integers(slot, weight)
        found.layer = WrittenLayer(ints, params, axis, constant, again)
    return found


def _biased(b: Builder, x: Value, weight: Value, bias: Tensor, axis: int) -> tuple[Value, str]:
    """The weight, with coarser scales where a bias needs them, and the name of the bias."""
    if x.quantized is None or weight.quantized is None or weight.quantized.params.group_size or b.float_bias:
        return weight, b.constant(bias.detach().float().numpy(), np.float32, "bias")
    params, values = weight.quantized.params, bias.detach().double()
    step, own = float(x.quantized.params.scale), params.scale.double()
    in_groups = values.numel() != weight.shape[axis]  # of a transposed convolution: no dimension has all channels
    if math.isnan(step) or in_groups:  # a range of the moment has no scale yet
        return weight, b.constant(bias.detach().float().numpy(), np.float32, "bias")
    coarser = torch.maximum(own.expand_as(values), values.abs() / (step * _LARGEST)).float()
    if bool((coarser > own).any()):
        weight = _with_scale(b, weight, coarser, axis)
        own = coarser.double()
    scale = (own * step).float().expand_as(values)
    ints = torch.round(values / scale.double()).to(torch.int32)
    names = [
        b.constant(ints.numpy(), np.int32, "bias"),
        b.constant(scale.contiguous().numpy(), np.float32, "bias.scale"),
    ]
    return weight, b.op("DequantizeLinear", names, axis=0)


def _with_scale(b: Builder, weight: Value, scale: Tensor, axis: int) -> Value:
    found = b.integers(weight)
    stored = torch.from_numpy(b.array(found.name).astype(np.int32))
    values = dequantize(stored, found.params)
    shape = [1] * values.dim()
    shape[axis] = -1
    params = QParams(scale, torch.zeros_like(scale, dtype=torch.int32), found.params.low, found.params.high, axis)
    ints = torch.round(values / scale.reshape(shape)).clamp(params.low, params.high).to(torch.int32)
    return Value(weight.shape, weight.kind, None, b.store(ints, params, found.name))


def _linear(b: Builder, given: dict[str, Any]) -> Any:
    x, rank = b.value(given["input"]), len(b.value(given["weight"]).shape)
    out = b.outputs[0]
    if rank != 2 or len(x.shape) < 1:
        raise b.fail("a linear layer with a weight that is not a matrix")
    flat = x
    if len(x.shape) != 2:
        flat = b.reshaped(x, (*_rows(x.shape), x.shape[-1]))

    def write(name: str, weight: str, bias: str | None) -> str:
        made = b.op("Gemm", [name, weight, *([bias] if bias else [])], transB=1)
        return made if len(x.shape) == 2 else b.op("Reshape", [made, b.shape(out)])

    return _layer(b, flat, given, write)


def _rows(shape: tuple[Any, ...]) -> tuple[Any, ...]:
    return (-1,) if len(shape) > 1 else (1,)


def _convolution(dims: int) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        x = b.value(given["input"])
        if len(x.shape) != dims + 2:
            raise b.fail("a convolution of unbatched input")
        shape = b.value(given["weight"]).shape
        kernel, dilation = fixed(shape[2:]), per_dimension(given.get("dilation", 1), dims)
        attributes: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": per_dimension(given.get("stride", 1), dims),
            "dilations": dilation,
            "group": given.get("groups", 1),
            "pads": _pads(given.get("padding", 0), kernel, dilation),
        }
        x, attributes["pads"] = _with_zeros(x, attributes["pads"], dims)
        return _layer(b, x, given, lambda *names: b.op("Conv", [each for each in names if each], **attributes))

    return form


def _pads(padding: Any, kernel: list[int], dilation: list[int]) -> list[int]:
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [each // 2 for each in total] + [each - each // 2 for each in total]
    return per_dimension(0 if padding == "valid" else padding, len(kernel)) * 2


def _with_zeros(x: Value, pads: list[int], dims: int) -> tuple[Value, list[int]]:
    """Zeros that were put around the input are the convolution's to add."""
    if x.unpadded is None:
        return x, pads
    inner, ends = x.unpadded
    rank = dims + 2
    if any(ends[axis] or ends[rank + axis] for axis in (0, 1)):
        return x, pads
    around = [*ends[2:rank], *ends[rank + 2 :]]
    return inner, [one + other for one, other in zip(pads, around, strict=True)]


def _transposed(dims: int) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        x = b.value(given["input"])
        if len(x.shape) != dims + 2:
            raise b.fail("a convolution of unbatched input")
        attributes = {
            "kernel_shape": fixed(b.value(given["weight"]).shape[2:]),
            "strides": per_dimension(given.get("stride", 1), dims),
            "dilations": per_dimension(given.get("dilation", 1), dims),
            "group": given.get("groups", 1),
            "pads": per_dimension(given.get("padding", 0), dims) * 2,
            "output_padding": per_dimension(given.get("output_padding", 0), dims),
        }
        return _layer(
            b, x, given, lambda *names: b.op("ConvTranspose", [each for each in names if each], **attributes), axis=1
        )

    return form


def fixed(shape: Sequence[Dim]) -> list[int]:
    """Sizes of a parameter, which follow no batch."""
    return [each for each in shape if isinstance(each, int)]


def _matmul(left: str, right: str) -> Form:
    return lambda b, given: b.op("MatMul", [b.float(given[left]), b.float(given[right])])


def _embedding(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("max_norm") is not None:
        raise b.fail("an embedding with max_norm")
    weight, index = b.value(given["weight"]), b.float(given["input"])
    found = weight.quantized
    if found is None or found.params.group_size:
        return b.op("Gather", [b.float(weight), index], axis=0)
    rows = b.op("Gather", [found.name, index], axis=0)
    if found.params.axis is None:
        return Quantized(rows, found.scale, found.zero, found.params)
    # Rows have scales of their own: gathered with them.
    floats = b.op("Cast", [rows], to=1)
    scale = b.op("Gather", [found.scale, index], axis=0)
    return b.op("Mul", [floats, b.op("Unsqueeze", [scale, b.constant([-1], np.int64)])])


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "linear": _linear,
        **{f"conv{dims}d": _convolution(dims) for dims in (1, 2, 3)},
        **{f"conv_transpose{dims}d": _transposed(dims) for dims in (1, 2, 3)},
        "matmul": _matmul("input", "other"),
        "bmm": _matmul("input", "mat2"),
        "mm": _matmul("input", "mat2"),
        "embedding": _embedding,
    }
)
