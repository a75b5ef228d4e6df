# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of layers with weights, of products and of normalizations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from qprep.quantizer.affine import QParams, dequantize
from qprep.quantizer.export.builder import Builder, Layer, Quantized, Value
from qprep.quantizer.export.record import Ref
from qprep.quantizer.export.sizes import Dim
from qprep.quantizer.stored import integers

Form = Callable[[Builder, dict[str, Any]], Any]

_LARGEST: Final = 2.0**30  # of a bias in int32


def _layer(b: Builder, x: Value, given: dict[str, Any], write: Callable[[str, str, str | None], str]) -> Value:
    """`write(x, weight, bias)` with an int32 bias at the product of both scales where there is one."""
    weight, bias = given["weight"], given.get("bias")
    constant = bias if isinstance(bias, Tensor) else None

    def again(value: Value, shift: Tensor | None) -> str:
        value, name = (value, None) if shift is None else _biased(b, x, value, shift)
        return write(b.float(x), b.float(value), name)

    stored = b.value(weight)
    if isinstance(bias, Ref) or stored.quantized is None:
        name = None if bias is None else b.float(bias)
        return Value((), torch.float32, write(b.float(x), b.float(stored), name))
    found = Value((), torch.float32, again(stored, constant))
    slot = b.slots.get(weight)
    if slot is not None and isinstance(weight, Tensor) and not stored.quantized.params.group_size:
        ints, params = integers(slot, weight)
        found.layer = Layer(ints, params, constant, again)
    return found


def _biased(b: Builder, x: Value, weight: Value, bias: Tensor) -> tuple[Value, str]:
    """The weight, with coarser scales where a bias needs them, and the name of the bias."""
    if x.quantized is None or weight.quantized is None or weight.quantized.params.group_size:
        return weight, b.constant(bias.detach().float().numpy(), np.float32, "bias")
    params, values = weight.quantized.params, bias.detach().double()
    step, own = float(x.quantized.params.scale), params.scale.double()
    if math.isnan(step) or own.numel() not in (1, values.numel()):  # a range of the moment; a grouped transposed one's
        return weight, b.constant(bias.detach().float().numpy(), np.float32, "bias")
    coarser = torch.maximum(own.expand_as(values), values.abs() / (step * _LARGEST)).float()
    if bool((coarser > own).any()):
        weight = _with_scale(b, weight, coarser)
        own = coarser.double()
    scale = (own * step).float().expand_as(values)
    ints = torch.round(values / scale.double()).to(torch.int32)
    names = [
        b.constant(ints.numpy(), np.int32, "bias"),
        b.constant(scale.contiguous().numpy(), np.float32, "bias.scale"),
    ]
    return weight, b.op("DequantizeLinear", names, axis=0)


def _with_scale(b: Builder, weight: Value, scale: Tensor) -> Value:
    found = b.integers(weight)
    stored = torch.from_numpy(b.array(found.name).astype(np.int32))
    values = dequantize(stored, found.params)
    axis = found.params.axis or 0
    shape = [1] * values.dim()
    shape[axis] = -1
    params = QParams(scale, torch.zeros_like(scale, dtype=torch.int32), found.params.low, found.params.high, axis)
    ints = torch.round(values / scale.reshape(shape)).clamp(params.low, params.high).to(torch.int32)
    return Value(weight.shape, weight.kind, None, b.store(ints, params, found.name))


def _linear(b: Builder, given: dict[str, Any]) -> Any:
    x, rank = b.value(given["input"]), len(b.value(given["weight"]).shape)
    out = b.outputs[0]
    if rank != 2 or len(x.shape) < 1:
        raise b.fail("a linear layer whose weight is no matrix")
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
        kernel, dilation = fixed(shape[2:]), spread(given.get("dilation", 1), dims)
        attributes: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": spread(given.get("stride", 1), dims),
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
    return spread(0 if padding == "valid" else padding, len(kernel)) * 2


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
            "strides": spread(given.get("stride", 1), dims),
            "dilations": spread(given.get("dilation", 1), dims),
            "group": given.get("groups", 1),
            "pads": spread(given.get("padding", 0), dims) * 2,
            "output_padding": spread(given.get("output_padding", 0), dims),
        }
        return _layer(b, x, given, lambda *names: b.op("ConvTranspose", [each for each in names if each], **attributes))

    return form


def fixed(shape: Sequence[Dim]) -> list[int]:
    """Sizes of a parameter, which follow no batch."""
    return [each for each in shape if isinstance(each, int)]


def spread(value: Any, dims: int) -> list[int]:
    """One number for each dimension."""
    given = [value] if isinstance(value, int) else list(value)
    return given * dims if len(given) == 1 else given


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


def _batch_norm(b: Builder, given: dict[str, Any]) -> Any:
    x = b.value(given["input"])
    mean, variance = given.get("running_mean"), given.get("running_var")
    if given.get("training") or mean is None or variance is None:
        raise b.fail("a BatchNorm that takes statistics of the batch")
    factor = torch.rsqrt(variance.double() + given.get("eps", 1e-5))
    if given.get("weight") is not None:
        factor = factor * given["weight"].detach().double()
    shift = -mean.double() * factor
    if given.get("bias") is not None:
        shift = shift + given["bias"].detach().double()
    if x.layer is not None and isinstance(given["input"], Ref) and b.readers[given["input"].number] == 1:
        folded = _folded(b, x.layer, factor, shift)
        if folded is not None:
            return folded
    shape = (-1, *[1] * (len(x.shape) - 2))
    scaled = b.op("Mul", [b.float(x), b.constant(factor.reshape(shape).numpy(), np.float32)])
    return b.op("Add", [scaled, b.constant(shift.reshape(shape).numpy(), np.float32)])


def _folded(b: Builder, layer: Layer, factor: Tensor, shift: Tensor) -> str | None:
    """The layer again, its channels' scales times |factor|, integers negated where the factor is negative."""
    params = layer.params
    if params.axis not in (None, 0) or bool(params.zero_point.any()):
        return None
    sign = torch.sign(factor).to(torch.int32).reshape(-1, *[1] * (layer.ints.dim() - 1))
    if bool((layer.ints * sign > params.high).any()):  # the smallest integer has no negative
        return None
    scale = (params.scale.double() * torch.where(factor == 0, torch.ones_like(factor), factor.abs())).float()
    changed = QParams(scale, torch.zeros_like(scale, dtype=torch.int32), params.low, params.high, 0)
    weight = b.store(layer.ints * sign, changed, "folded")
    bias = shift if layer.bias is None else shift + layer.bias.detach().double() * factor
    return layer.write(Value(tuple(layer.ints.shape), torch.float32, None, weight), bias.float())


def _layer_norm(b: Builder, given: dict[str, Any]) -> Any:
    shape = spread(given["normalized_shape"], 1)
    weight = given.get("weight")
    names = [b.float(given["input"]), b.constant(np.ones(shape), np.float32) if weight is None else b.float(weight)]
    if given.get("bias") is not None:
        names.append(b.float(given["bias"]))
    return b.op("LayerNormalization", names, axis=-len(shape), epsilon=given.get("eps", 1e-5))


def _group_norm(b: Builder, given: dict[str, Any]) -> Any:
    channels = int(b.value(given["input"]).shape[1])  # type: ignore[arg-type]
    weight, bias = given.get("weight"), given.get("bias")
    return b.op(
        "GroupNormalization",
        [
            b.float(given["input"]),
            b.constant(np.ones(channels), np.float32) if weight is None else b.float(weight),
            b.constant(np.zeros(channels), np.float32) if bias is None else b.float(bias),
        ],
        num_groups=given["num_groups"],
        epsilon=given.get("eps", 1e-5),
    )


def _instance_norm(b: Builder, given: dict[str, Any]) -> Any:
    if not given.get("use_input_stats", True):
        return _batch_norm(b, given)
    channels = int(b.value(given["input"]).shape[1])  # type: ignore[arg-type]
    weight, bias = given.get("weight"), given.get("bias")
    names = [
        b.float(given["input"]),
        b.constant(np.ones(channels), np.float32) if weight is None else b.float(weight),
        b.constant(np.zeros(channels), np.float32) if bias is None else b.float(bias),
    ]
    return b.op("InstanceNormalization", names, epsilon=given.get("eps", 1e-5))


def _attention(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("is_causal") or given.get("enable_gqa") or given.get("dropout_p", 0.0):
        raise b.fail("an attention that is causal, grouped or has dropout")
    width = b.value(given["query"]).shape[-1]
    scale = given.get("scale") or 1 / math.sqrt(int(width))  # type: ignore[arg-type]
    rank = len(b.value(given["key"]).shape)
    turned = b.op("Transpose", [b.float(given["key"])], perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = b.op("Mul", [b.op("MatMul", [b.float(given["query"]), turned]), b.floats(scale)])
    if given.get("attn_mask") is not None:
        if b.value(given["attn_mask"]).kind is torch.bool:
            raise b.fail("an attention with a boolean mask")
        scores = b.op("Add", [scores, b.float(given["attn_mask"])])
    return b.op("MatMul", [b.op("Softmax", [scores], axis=-1), b.float(given["value"])])


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "linear": _linear,
        **{f"conv{dims}d": _convolution(dims) for dims in (1, 2, 3)},
        **{f"conv_transpose{dims}d": _transposed(dims) for dims in (1, 2, 3)},
        "matmul": _matmul("input", "other"),
        "bmm": _matmul("input", "mat2"),
        "mm": _matmul("input", "mat2"),
        "embedding": _embedding,
        "batch_norm": _batch_norm,
        "layer_norm": _layer_norm,
        "group_norm": _group_norm,
        "instance_norm": _instance_norm,
        "scaled_dot_product_attention": _attention,
    }
)
