# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of functions of single values and of pairs of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch

from qprep.quantizer.backends.onnx.builder import Builder, onnx_type
from qprep.quantizer.backends.onnx.layer_forms import Form
from qprep.quantizer.backends.onnx.run_record import Ref


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
        shared = b.kinds[0]
        if shared is torch.bool:
            raise b.fail(f"a {kind} of booleans")
        other_name = b.typed(other, shared)
        if given.get("alpha", 1) != 1:
            other_name = b.op("Mul", [other_name, b.typed(given["alpha"], shared)])
        return b.op(kind, [b.typed(given["input"], shared), other_name])

    return form


def _reflected(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("alpha", 1) != 1:
        raise b.fail("a difference with a factor")
    return b.op("Sub", [b.typed(given["other"], b.kinds[0]), b.typed(given["input"], b.kinds[0])])


def _clip(low: tuple[str, float], high: tuple[str, float]) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        bounds = [given.get(name) if given.get(name) is not None else default for name, default in (low, high)]
        if any(isinstance(each, (Ref, torch.Tensor)) for each in bounds):
            raise b.fail("a clamp to tensors")
        shared = b.kinds[0]
        names = ["" if math.isinf(each) else b.typed(each, shared) for each in bounds]  # type: ignore[arg-type]
        x = b.typed(given["input"], shared)
        return b.op("Clip", [x, *names])

    return form


def _relu(b: Builder, given: dict[str, Any]) -> Any:
    if not b.kinds or b.kinds[0].is_floating_point:
        return b.op("Relu", [b.float(given["input"])])
    return b.op("Max", [b.float(given["input"]), b.typed(0, b.kinds[0])])  # runtimes have no Relu of whole numbers


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


def _rrelu(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("training"):
        raise b.fail("a random slope")
    slope = (float(given.get("lower", 1 / 8)) + float(given.get("upper", 1 / 3))) / 2
    return b.op("LeakyRelu", [b.float(given["input"])], alpha=slope)


def _softmin(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("dim") is None or given.get("dtype") is not None:
        raise b.fail("a softmin without a dimension, or in another type")
    return b.op("Softmax", [b.op("Neg", [b.float(given["input"])])], axis=given["dim"])


def _softmax(kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        axis = given.get("dim", given.get("1"))
        if axis is None:
            raise b.fail(f"a {kind} without a dimension")
        x = b.value(given["input"] if "input" in given else given["0"])
        name = b.float(x)
        if x.quantized is not None and kind == "Softmax":
            # Right behind integers ONNX Runtime takes a table of exponentials instead, 10 dB worse and no faster.
            name = b.op("Max", [name, b.floats(-math.inf)])
        return b.op(kind, [name], axis=axis)

    return form


def _where(b: Builder, given: dict[str, Any]) -> Any:
    if "other" not in given:
        raise b.fail("the places where a condition holds")
    sides = [b.typed(given[name], b.kinds[0]) for name in ("input", "other")]
    return b.op("Where", [b.typed(given["condition"], torch.bool), *sides])


def _masked_fill(b: Builder, given: dict[str, Any]) -> Any:
    sides = [b.typed(given[name], b.kinds[0]) for name in ("value", "input")]
    return b.op("Where", [b.typed(given["mask"], torch.bool), *sides])


def _dropout(b: Builder, given: dict[str, Any]) -> Any:
    if given.get("training", given.get("train", False)):
        raise b.fail("a dropout in training mode")
    return b.value(given["input"])


def _cast(b: Builder, given: dict[str, Any]) -> Any:
    kind = b.kinds[0]
    value = b.value(given["input"])
    if value.kind == kind:
        return value
    return b.op("Cast", [b.float(value)], to=onnx_type(kind))


_MODES: Final = {
    **dict.fromkeys(("linear", "bilinear", "trilinear"), "linear"),
    "nearest": "nearest",
    "bicubic": "cubic",
}
_CUBIC: Final = -0.75  # torch's coefficient


def _resized(b: Builder, given: dict[str, Any]) -> Any:
    mode, corners = given.get("mode", "nearest"), bool(given.get("align_corners"))
    kind = _MODES.get(mode)
    if kind is None or given.get("antialias"):
        raise b.fail(f"an interpolation by {mode}")
    out = b.outputs[0]
    sizes = b.ints(out)
    how = "align_corners" if corners else "asymmetric" if mode == "nearest" else "half_pixel"
    extra = {"nearest_mode": "floor"} if kind == "nearest" else {}
    cubic = _CUBIC if kind == "cubic" else None
    return b.op(
        "Resize",
        [b.float(given["input"]), "", "", sizes],
        mode=kind,
        coordinate_transformation_mode=how,
        cubic_coeff_a=cubic,
        **extra,
    )


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        **{
            name: _unary(kind)
            for name, kind in (
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
                ("tan", "Tan"),
                ("atan", "Atan"),
                ("asin", "Asin"),
                ("acos", "Acos"),
                ("sinh", "Sinh"),
                ("cosh", "Cosh"),
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
        "relu": _relu,
        "relu6": _clip(("", 0.0), ("", 6.0)),
        "hardtanh": _clip(("min_val", -1.0), ("max_val", 1.0)),
        "clamp": _clip(("min", -math.inf), ("max", math.inf)),
        "clamp_min": _clip(("min", -math.inf), ("", math.inf)),
        "clamp_max": _clip(("", -math.inf), ("max", math.inf)),
        "rrelu": _rrelu,
        "softmin": _softmin,
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
        "interpolate": _resized,
        **dict.fromkeys(
            (  # noqa: SIM905
                "to float type type_as half double bfloat16 bool long int short char byte"
            ).split(),
            _cast,
        ),
    }
)
