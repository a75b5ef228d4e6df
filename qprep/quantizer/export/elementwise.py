# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of functions of single values, sums, reductions and pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch

from qprep.quantizer.export.builder import Builder, Quantized, container, onnx_type
from qprep.quantizer.export.layers import Form, spread
from qprep.quantizer.export.record import Ref
from qprep.quantizer.export.sizes import Size


def _unary(kind: str, **settings: str) -> Form:
    """A node with one input; `settings` are ONNX's attributes and torch's names for them."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        attributes: dict[str, Any] = {name: float(given[ours]) for name, ours in settings.items() if ours in given}
        return b.op(kind, [b.float(given["input"])], **attributes)

    return form


def _leaky(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("LeakyRelu", [b.float(given["input"])], alpha=float(given.get("negative_slope", 0.01)))


def _binary(kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        if given.get("rounding_mode") is not None:
            raise b.fail("a division that rounds")
        other = given["exponent"] if "exponent" in given else given["other"]
        if given.get("alpha", 1) != 1:
            other_name = b.op("Mul", [b.float(other), b.floats(given["alpha"])])
        else:
            other_name = b.float(other)
        return b.op(kind, [b.float(given["input"]), other_name])

    return form


def _reflected(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Sub", [b.float(given["other"]), b.float(given["input"])])


def _clip(low: tuple[str, float], high: tuple[str, float]) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        bounds = [given.get(name) if given.get(name) is not None else default for name, default in (low, high)]
        if any(isinstance(each, (Ref, torch.Tensor)) for each in bounds):
            raise b.fail("a clamp to tensors")
        names = ["" if math.isinf(each) else b.floats(each) for each in bounds]  # type: ignore[arg-type]
        return b.op("Clip", [b.float(given["input"]), *names])

    return form


def _gelu(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Gelu", [b.float(given["input"])], approximate=given.get("approximate", "none"))


def _silu(b: Builder, given: dict[str, Any]) -> Any:
    x = b.float(given["input"])
    return b.op("Mul", [x, b.op("Sigmoid", [x])])


def _hardsigmoid(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("HardSigmoid", [b.float(given["input"])], alpha=1 / 6, beta=0.5)


def _softplus(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("beta", 1) != 1:
        raise b.fail("a softplus with beta")
    return b.op("Softplus", [b.float(given["input"])])


def _rsqrt(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Reciprocal", [b.op("Sqrt", [b.float(given["input"])])])


def _square(b: Builder, given: dict[str, Any]) -> Any:
    x = b.float(given["input"])
    return b.op("Mul", [x, x])


def _prelu(b: Builder, given: dict[str, Any]) -> Any:
    x, slope = b.value(given["input"]), b.value(given["weight"])
    shape = (-1, *[1] * max(len(x.shape) - 2, 0))
    return b.op("PRelu", [b.float(x), b.op("Reshape", [b.float(slope), b.constant(shape, np.int64)])])


def _softmax(kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        axis = given.get("dim", given.get("1"))
        if axis is None:
            raise b.fail(f"a {kind} without a dimension")
        return b.op(kind, [b.float(given["input"] if "input" in given else given["0"])], axis=axis)

    return form


def _where(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Where", [b.float(given["condition"]), b.float(given["input"]), b.float(given["other"])])


def _masked_fill(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Where", [b.float(given["mask"]), b.float(given["value"]), b.float(given["input"])])


def _dropout(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("training", given.get("train", False)):
        raise b.fail("a dropout in training mode")
    return b.value(given["input"])


def _reduction(kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        x, dim, keep = b.value(given["input"]), given.get("dim"), bool(given.get("keepdim", False))
        if given.get("dtype") is not None:
            raise b.fail(f"a {kind} into another type")
        rank = len(x.shape)
        axes = range(rank) if dim is None else [dim] if isinstance(dim, int) else list(dim)
        axes = sorted(axis % rank for axis in axes)
        if kind == "ReduceMean" and axes == list(range(2, rank)) and rank > 2:
            pooled = b.op("GlobalAveragePool", [b.float(x)])  # the form that runtimes have in integers
            return pooled if keep else b.op("Flatten", [pooled], axis=1)
        return b.op(kind, [b.float(x), b.constant(axes, np.int64, "axes")], keepdims=int(keep))

    return form


def _average_pool(dims: int) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        if given.get("divisor_override") is not None:
            raise b.fail("an average with a divisor of its own")
        kernel = spread(given["kernel_size"], dims)
        return b.op(
            "AveragePool",
            [b.float(given["input"])],
            kernel_shape=kernel,
            strides=kernel if given.get("stride") in (None, (), []) else spread(given["stride"], dims),
            pads=spread(given.get("padding", 0), dims) * 2,
            ceil_mode=int(given.get("ceil_mode", False)),
            count_include_pad=int(given.get("count_include_pad", True)),
        )

    return form


def _max_pool(dims: int) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        if given.get("return_indices"):
            raise b.fail("a maximum with indices")
        kernel = spread(given["kernel_size"], dims)
        attributes: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": kernel if given.get("stride") in (None, (), []) else spread(given["stride"], dims),
            "pads": spread(given.get("padding", 0), dims) * 2,
            "dilations": spread(given.get("dilation", 1), dims),
            "ceil_mode": int(given.get("ceil_mode", False)),
        }
        return _of_integers(b, given["input"], lambda name: b.op("MaxPool", [name], **attributes))

    return form


def _of_integers(b: Builder, given: Any, write: Callable[[str], str]) -> Any:
    """An operation that ONNX has on 8-bit integers too, and that leaves their scale."""
    value = b.value(given)
    found = value.quantized
    if found is None or found.params.axis is not None or container(found.params) not in (np.uint8, np.int8):
        return write(b.float(value))
    return Quantized(write(found.name), found.scale, found.zero, found.params)


def _adaptive(dims: int, kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        x = b.value(given["input"])
        inside = x.shape[-dims:]
        wanted = [
            size if each is None else each
            for each, size in zip(spread_any(given["output_size"], dims), inside, strict=True)
        ]
        if any(isinstance(each, Size) for each in inside) or any(a % n for a, n in zip(inside, wanted, strict=True)):  # type: ignore[operator]
            raise b.fail("an adaptive pooling of windows of different size")
        if all(each == 1 for each in wanted) and kind == "AveragePool":
            return b.op("GlobalAveragePool", [b.float(x)])
        kernel = [a // n for a, n in zip(inside, wanted, strict=True)]  # type: ignore[operator]

        def write(name: str) -> str:
            return b.op(kind, [name], kernel_shape=kernel, strides=kernel)

        return _of_integers(b, given["input"], write) if kind == "MaxPool" else write(b.float(x))

    return form


def spread_any(value: Any, dims: int) -> list[Any]:
    """As `spread`, where None may stand for a number."""
    given = list(value) if isinstance(value, (tuple, list)) else [value]
    return given * dims if len(given) == 1 else given


def _cast(b: Builder, given: dict[str, Any]) -> Any:
    kind = b.kinds[0]
    value = b.value(given["input"])
    if value.kind == kind:
        return value
    return b.op("Cast", [b.float(value)], to=onnx_type(kind))


def _filled(number: float) -> Form:
    """A tensor of one number in another's shape."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        value = torch.tensor(given.get("fill_value", number), dtype=b.kinds[0])
        return b.op("Expand", [b.constant(value.numpy()), b.ints(b.outputs[0])])

    return form


def _resized(b: Builder, given: dict[str, Any]) -> Any:
    mode, corners = given.get("mode", "nearest"), bool(given.get("align_corners"))
    if mode not in ("nearest", "bilinear", "linear") or given.get("antialias"):
        raise b.fail(f"an interpolation by {mode}")
    out = b.outputs[0]
    sizes = b.ints(out)
    how = "align_corners" if corners else "asymmetric" if mode == "nearest" else "half_pixel"
    extra = {"nearest_mode": "floor"} if mode == "nearest" else {}
    kind = "nearest" if mode == "nearest" else "linear"
    return b.op(
        "Resize", [b.float(given["input"]), "", "", sizes], mode=kind, coordinate_transformation_mode=how, **extra
    )


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        **{
            name: _unary(kind)
            for name, kind in (
                ("relu", "Relu"),
                ("sigmoid", "Sigmoid"),
                ("tanh", "Tanh"),
                ("softsign", "Softsign"),
                ("mish", "Mish"),
                ("hardswish", "HardSwish"),
                ("selu", "Selu"),
                ("exp", "Exp"),
                ("log", "Log"),
                ("sqrt", "Sqrt"),
                ("abs", "Abs"),
                ("neg", "Neg"),
                ("reciprocal", "Reciprocal"),
                ("erf", "Erf"),
                ("sin", "Sin"),
                ("cos", "Cos"),
                ("floor", "Floor"),
                ("ceil", "Ceil"),
                ("round", "Round"),
                ("sign", "Sign"),
            )
        },
        "elu": _unary("Elu", alpha="alpha"),
        "celu": _unary("Celu", alpha="alpha"),
        "leaky_relu": _leaky,
        "gelu": _gelu,
        "silu": _silu,
        "hardsigmoid": _hardsigmoid,
        "softplus": _softplus,
        "rsqrt": _rsqrt,
        "square": _square,
        "prelu": _prelu,
        "relu6": _clip(("", 0.0), ("", 6.0)),
        "hardtanh": _clip(("min_val", -1.0), ("max_val", 1.0)),
        "clamp": _clip(("min", -math.inf), ("max", math.inf)),
        "clamp_min": _clip(("min", -math.inf), ("", math.inf)),
        "clamp_max": _clip(("", -math.inf), ("max", math.inf)),
        "softmax": _softmax("Softmax"),
        "_safe_softmax": _softmax("Softmax"),
        "log_softmax": _softmax("LogSoftmax"),
        "add": _binary("Add"),
        "sub": _binary("Sub"),
        "mul": _binary("Mul"),
        "div": _binary("Div"),
        "pow": _binary("Pow"),
        "maximum": _binary("Max"),
        "minimum": _binary("Min"),
        "rsub": _reflected,
        "where": _where,
        "masked_fill": _masked_fill,
        **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"), _dropout),
        "sum": _reduction("ReduceSum"),
        "mean": _reduction("ReduceMean"),
        "amax": _reduction("ReduceMax"),
        "amin": _reduction("ReduceMin"),
        **{f"avg_pool{dims}d": _average_pool(dims) for dims in (1, 2, 3)},
        **{f"max_pool{dims}d": _max_pool(dims) for dims in (1, 2, 3)},
        **{f"adaptive_avg_pool{dims}d": _adaptive(dims, "AveragePool") for dims in (1, 2, 3)},
        **{f"adaptive_max_pool{dims}d": _adaptive(dims, "MaxPool") for dims in (1, 2, 3)},
        "interpolate": _resized,
        "zeros_like": _filled(0.0),
        "ones_like": _filled(1.0),
        "full_like": _filled(0.0),
        **dict.fromkeys(("to", "float", "type", "type_as", "half", "double"), _cast),
    }
)
