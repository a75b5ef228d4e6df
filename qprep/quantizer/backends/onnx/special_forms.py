# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of rarer functions, by the identities that their names mean (torch's documentation)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from qprep.quantizer.backends.onnx.builder import Builder
from qprep.quantizer.backends.onnx.layer_forms import Form


def _of_one(write: Callable[[Builder, str], str]) -> Form:
    return lambda b, given: write(b, b.float(given["input"]))


def _of_two(write: Callable[[Builder, str, str], str]) -> Form:
    return lambda b, given: write(b, b.typed(given["input"], b.kinds[0]), b.typed(given["other"], b.kinds[0]))


def _node(kind: str) -> Form:
    return _of_one(lambda b, x: b.op(kind, [x]))


def _times(factor: float) -> Form:
    return _of_one(lambda b, x: b.op("Mul", [x, b.floats(factor)]))


def _truncated(b: Builder, x: str) -> str:
    return b.op("Mul", [b.op("Sign", [x]), b.op("Floor", [b.op("Abs", [x])])])


def _normal(b: Builder, x: str) -> str:
    """Φ(x) = (1 + erf(x/√2)) / 2."""
    root = b.op("Erf", [b.op("Mul", [x, b.floats(1 / math.sqrt(2))])])
    return b.op("Mul", [b.op("Add", [root, b.floats(1.0)]), b.floats(0.5)])


def _logit(b: Builder, given: dict[str, Any]) -> Any:
    x, eps = b.float(given["input"]), given.get("eps")
    if eps is not None:
        x = b.op("Clip", [x, b.floats(eps), b.floats(1 - eps)])
    return b.op("Log", [b.op("Div", [x, b.op("Sub", [b.floats(1.0), x])])])


def _sinc(b: Builder, x: str) -> str:
    angle = b.op("Mul", [x, b.floats(math.pi)])
    at_zero = b.op("Equal", [x, b.floats(0.0)])
    safe = b.op("Where", [at_zero, b.floats(1.0), angle])
    return b.op("Where", [at_zero, b.floats(1.0), b.op("Div", [b.op("Sin", [safe]), safe])])


def _logaddexp(b: Builder, x: str, y: str) -> str:
    """max + log(1 + e^-|x - y|)."""
    apart = b.op("Neg", [b.op("Abs", [b.op("Sub", [x, y])])])
    return b.op("Add", [b.op("Max", [x, y]), b.op("Log", [b.op("Add", [b.op("Exp", [apart]), b.floats(1.0)])])])


def _hypot(b: Builder, x: str, y: str) -> str:
    return b.op("Sqrt", [b.op("Add", [b.op("Mul", [x, x]), b.op("Mul", [y, y])])])


def _xlogy(b: Builder, x: str, y: str) -> str:
    product = b.op("Mul", [x, b.op("Log", [y])])
    return b.op("Where", [b.op("Equal", [x, b.floats(0.0)]), b.floats(0.0), product])


def _addcdiv(b: Builder, given: dict[str, Any]) -> Any:
    ratio = b.op("Div", [b.float(given["tensor1"]), b.float(given["tensor2"])])
    return b.op("Add", [b.float(given["input"]), b.op("Mul", [ratio, b.floats(given.get("value", 1))])])


def _kth(b: Builder, given: dict[str, Any]) -> Any:
    """The last of the k smallest."""
    axis, keep = given.get("dim", -1), bool(given.get("keepdim"))
    number = b.constant([given["k"]], np.int64, "k")
    found = b.ops("TopK", [b.float(given["input"]), number], 2, axis=axis, largest=0, sorted=1)
    at = b.constant([given["k"] - 1] if keep else given["k"] - 1, np.int64)
    return [b.op("Gather", [name, at], axis=axis) for name in found]


def _aminmax(b: Builder, given: dict[str, Any]) -> Any:
    dim, keep = given.get("dim"), int(bool(given.get("keepdim")))
    axes = [] if dim is None else [b.constant([dim], np.int64, "axes")]
    return [b.op(kind, [b.float(given["input"]), *axes], keepdims=keep) for kind in ("ReduceMin", "ReduceMax")]


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "trunc": _of_one(_truncated),
        "frac": _of_one(lambda b, x: b.op("Sub", [x, _truncated(b, x)])),
        "sgn": _node("Sign"),
        "asinh": _node("Asinh"),
        "acosh": _node("Acosh"),
        "atanh": _node("Atanh"),
        "exp2": _of_one(lambda b, x: b.op("Exp", [b.op("Mul", [x, b.floats(math.log(2))])])),
        "erfc": _of_one(lambda b, x: b.op("Sub", [b.floats(1.0), b.op("Erf", [x])])),
        "ndtr": _of_one(_normal),
        "logit": _logit,
        "sinc": _of_one(_sinc),
        "deg2rad": _times(math.pi / 180),
        "rad2deg": _times(180 / math.pi),
        "hypot": _of_two(_hypot),
        "xlogy": _of_two(_xlogy),
        "logaddexp": _of_two(_logaddexp),
        "fmod": _of_two(lambda b, x, y: b.op("Mod", [x, y], fmod=1)),
        "fmax": _of_two(lambda b, x, y: b.op("Max", [x, y])),
        "fmin": _of_two(lambda b, x, y: b.op("Min", [x, y])),
        "addcdiv": _addcdiv,
        "kthvalue": _kth,
        "aminmax": _aminmax,
    }
)
