# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of normalizations and of attention in one piece."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from qprep.quantizer.backends.onnx.builder import Builder, Value, WrittenLayer
from qprep.quantizer.backends.onnx.layer_forms import Form, fixed
from qprep.quantizer.backends.onnx.layout_forms import moved
from qprep.quantizer.backends.onnx.run_record import Ref
from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.graph.layer_rows import per_dimension


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


def _folded(b: Builder, layer: WrittenLayer, factor: Tensor, shift: Tensor) -> str | None:
    """The layer again, its channels' scales times |factor|, integers negated where the factor is negative."""
    params = layer.params
    if params.axis not in (None, layer.axis) or bool(params.zero_point.any()):
        return None
    if factor.numel() != layer.ints.shape[layer.axis]:  # a transposed convolution in groups
        return None
    along = [1] * layer.ints.dim()
    along[layer.axis] = -1
    sign = torch.sign(factor).to(torch.int32).reshape(along)
    if bool((layer.ints * sign > params.high).any()):  # the smallest integer has no negative
        return None
    scale = (params.scale.double() * torch.where(factor == 0, torch.ones_like(factor), factor.abs())).float()
    changed = QParams(scale, torch.zeros_like(scale, dtype=torch.int32), params.low, params.high, layer.axis)
    weight = b.store(layer.ints * sign, changed, "folded")
    bias = shift if layer.bias is None else shift + layer.bias.detach().double() * factor
    return layer.write(Value(tuple(layer.ints.shape), torch.float32, None, weight), bias.float())


def _layer_norm(b: Builder, given: dict[str, Any]) -> Any:
    shape = per_dimension(given["normalized_shape"], 1)
    weight = given.get("weight")
    names = [b.float(given["input"]), b.constant(np.ones(shape), np.float32) if weight is None else b.float(weight)]
    if given.get("bias") is not None:
        names.append(b.float(given["bias"]))
    return b.op("LayerNormalization", names, axis=-len(shape), epsilon=given.get("eps", 1e-5))


def _group_norm(b: Builder, given: dict[str, Any]) -> Any:
    """InstanceNormalization of the groups, then weight and bias; ONNX Runtime has no kernel for GroupNormalization."""
    x, groups = b.value(given["input"]), int(given["num_groups"])
    channels = int(x.shape[1])  # type: ignore[arg-type]
    rows = b.reshaped(x, (x.shape[0], groups, channels // groups, *x.shape[2:]))
    names = [b.float(rows), *(b.constant(make(groups), np.float32) for make in (np.ones, np.zeros))]
    normal = b.op("InstanceNormalization", names, epsilon=given.get("eps", 1e-5))
    found = b.op("Reshape", [normal, b.shape(x.shape)])
    for kind, each in (("Mul", given.get("weight")), ("Add", given.get("bias"))):
        if each is not None:
            tall = b.reshaped(b.value(each), (channels, *[1] * (len(x.shape) - 2)))
            found = b.op(kind, [found, b.float(tall)])
    return found


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


def _local_response_norm(b: Builder, given: dict[str, Any]) -> Any:
    size = int(given["size"])
    if size % 2 == 0:  # ONNX's windows reach further forward, torch's backward, and ONNX Runtime has none
        raise b.fail("a local_response_norm with a window of even size")
    alpha, beta, bias = (float(given.get(name, usual)) for name, usual in (("alpha", 1e-4), ("beta", 0.75), ("k", 1.0)))
    return b.op("LRN", [b.float(given["input"])], size=size, alpha=alpha, beta=beta, bias=bias)


def _attention(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("enable_gqa") or given.get("dropout_p", 0.0):
        raise b.fail("an attention that is grouped or has dropout")
    width = b.value(given["query"]).shape[-1]
    scale = given.get("scale") or 1 / math.sqrt(int(width))  # type: ignore[arg-type]
    key = b.value(given["key"])
    order = [*range(len(key.shape) - 2), len(key.shape) - 1, len(key.shape) - 2]
    turned = moved(b, given["key"], lambda name: b.op("Transpose", [name], perm=order))
    if not isinstance(turned, str):
        turned = b.float(Value(key.shape, key.kind, None, turned))
    scores = b.op("Mul", [b.op("MatMul", [b.float(given["query"]), turned]), b.floats(scale)])
    if given.get("is_causal"):
        sizes = fixed((b.value(given["query"]).shape[-2], b.value(given["key"]).shape[-2]))
        if len(sizes) != 2:
            raise b.fail("a causal attention over the batch")
        scores = b.op("Add", [scores, b.constant(np.triu(np.full(sizes, -np.inf), 1), np.float32)])
    if given.get("attn_mask") is not None:
        mask = b.value(given["attn_mask"])
        if mask.kind is torch.bool:
            scores = b.op("Where", [b.float(mask), scores, b.floats(-math.inf)])
        else:
            scores = b.op("Add", [scores, b.float(mask)])
    return b.op("MatMul", [b.op("Softmax", [scores], axis=-1), b.float(given["value"])])


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "batch_norm": _batch_norm,
        "layer_norm": _layer_norm,
        "group_norm": _group_norm,
        "instance_norm": _instance_norm,
        "local_response_norm": _local_response_norm,
        "scaled_dot_product_attention": _attention,
    }
)
