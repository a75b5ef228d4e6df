# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of what masks are made of: comparisons, logic, casts, new tensors in another's shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from qprep.quantizer.backends.onnx.builder import Builder, onnx_type
from qprep.quantizer.backends.onnx.layer_forms import Form
from qprep.quantizer.backends.onnx.run_record import Ref
from qprep.quantizer.backends.onnx.sizes import Spread


def common_kind(b: Builder, left: Any, right: Any) -> torch.dtype:
    """The type that torch brings two operands to: that of tensors, unless a number is of a higher category."""
    return torch.result_type(_sample(b, left), _sample(b, right))


def _sample(b: Builder, given: Any) -> Any:
    if not isinstance(given, (Ref, Spread, Tensor)):
        return given
    value = b.value(given)
    return torch.empty([1] * min(len(value.shape), 1), dtype=value.kind)


def _compared(kind: str, negated: bool = False) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        left, right = given["input"], given["other"]
        shared = common_kind(b, left, right)
        if shared is torch.bool and kind != "Equal":
            shared = torch.int32
        found = b.op(kind, [b.typed(left, shared), b.typed(right, shared)])
        return b.op("Not", [found]) if negated else found

    return form


def _logical(kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        return b.op(kind, [b.typed(given["input"], torch.bool), b.typed(given["other"], torch.bool)])

    return form


def _not(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Not", [b.typed(given["input"], torch.bool)])


def _bitwise(of_bits: str, of_booleans: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        kind = of_booleans if b.kinds[0] is torch.bool else of_bits
        return b.op(kind, [b.typed(given["input"], b.kinds[0]), b.typed(given["other"], b.kinds[0])])

    return form


def _bitwise_not(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Not" if b.kinds[0] is torch.bool else "BitwiseNot", [b.float(given["input"])])


def _any(reduce: str) -> Form:
    """Over all values or some dimensions; ReduceMax and ReduceMin of 0 and 1."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        x, dim, keep = b.value(given["input"]), given.get("dim"), bool(given.get("keepdim"))
        rank = len(x.shape)
        axes = range(rank) if dim is None else [dim] if isinstance(dim, int) else list(dim)
        flags = b.op("Cast", [b.typed(given["input"], torch.bool)], to=onnx_type(torch.int32))
        names = [flags, b.constant(sorted(axis % rank for axis in axes), np.int64, "axes")]
        return b.op("Cast", [b.op(reduce, names, keepdims=int(keep))], to=onnx_type(torch.bool))

    return form


def _finite(b: Builder, given: dict[str, Any]) -> Any:
    name = b.float(given["input"])
    return b.op("Not", [b.op("Or", [b.op("IsNaN", [name]), b.op("IsInf", [name])])])


def _test(kind: str) -> Form:
    return lambda b, given: b.op(kind, [b.float(given["input"])])


def filled(number: float) -> Form:
    """A tensor of one number in another's shape, or in the shape that is given."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        return b.op("Expand", [b.typed(given.get("fill_value", number), b.kinds[0]), b.ints(b.outputs[0])])

    return form


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "eq": _compared("Equal"),
        "ne": _compared("Equal", negated=True),
        "lt": _compared("Less"),
        "le": _compared("LessOrEqual"),
        "gt": _compared("Greater"),
        "ge": _compared("GreaterOrEqual"),
        "logical_and": _logical("And"),
        "logical_or": _logical("Or"),
        "logical_xor": _logical("Xor"),
        "logical_not": _not,
        "bitwise_and": _bitwise("BitwiseAnd", "And"),
        "bitwise_or": _bitwise("BitwiseOr", "Or"),
        "bitwise_xor": _bitwise("BitwiseXor", "Xor"),
        "bitwise_not": _bitwise_not,
        "any": _any("ReduceMax"),
        "all": _any("ReduceMin"),
        "isnan": _test("IsNaN"),
        "isinf": _test("IsInf"),
        "isfinite": _finite,
        "zeros_like": filled(0.0),
        "ones_like": filled(1.0),
        "full_like": filled(0.0),
        "empty_like": filled(0.0),
        "new_zeros": filled(0.0),
        "new_ones": filled(1.0),
        "new_full": filled(0.0),
        "new_empty": filled(0.0),
        "zero_": filled(0.0),
    }
)
