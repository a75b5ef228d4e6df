# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of reductions and pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from qprep.quantizer.backends.onnx.builder import Builder, Quantized, Value, container
from qprep.quantizer.backends.onnx.layer_forms import Form, fixed
from qprep.quantizer.backends.onnx.sizes import Size
from qprep.quantizer.graph.layer_rows import per_dimension


def _reduction(kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        x, dim, keep = b.value(given["input"]), given.get("dim"), bool(given.get("keepdim", False))
        rank, name = len(x.shape), b.typed(given["input"], b.kinds[0])
        axes = range(rank) if dim is None else [dim] if isinstance(dim, int) else list(dim)
        axes = sorted(axis % rank for axis in axes)
        if kind == "ReduceMean" and axes == list(range(2, rank)) and rank > 2:
            pooled = b.op("GlobalAveragePool", [name])  # the form that runtimes have in integers
            return pooled if keep else b.op("Flatten", [pooled], axis=1)
        return b.op(kind, [name, b.constant(axes, np.int64, "axes")], keepdims=int(keep))

    return form


def _average_pool(dims: int) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        kernel, divisor = per_dimension(given["kernel_size"], dims), given.get("divisor_override")
        padded = bool(given.get("count_include_pad", True)) or divisor is not None
        if divisor is not None and given.get("ceil_mode"):
            raise b.fail("an average with a custom divisor and windows that reach outside")
        name, pads, ceil = b.float(given["input"]), per_dimension(given.get("padding", 0), dims), given.get("ceil_mode")
        padded = padded and any(pads)
        if padded and ceil:  # ONNX Runtime's kernel for integers counts what such windows have outside, too
            name = b.op("Clip", [name])
        found = b.op(
            "AveragePool",
            [name],
            kernel_shape=kernel,
            strides=kernel if given.get("stride") in (None, (), []) else per_dimension(given["stride"], dims),
            pads=[*pads] * 2,
            ceil_mode=int(bool(ceil)),
            count_include_pad=int(padded),
        )
        return found if divisor is None else b.op("Mul", [found, b.floats(math.prod(kernel) / divisor)])

    return form


def _max_pool(dims: int) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        if given.get("return_indices"):
            raise b.fail("a maximum with indices")
        kernel = per_dimension(given["kernel_size"], dims)
        attributes: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": kernel if given.get("stride") in (None, (), []) else per_dimension(given["stride"], dims),
            "pads": per_dimension(given.get("padding", 0), dims) * 2,
            "dilations": per_dimension(given.get("dilation", 1), dims),
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
        if any(isinstance(each, Size) for each in inside):
            raise b.fail("an adaptive pooling over the batch")
        if any(a % n for a, n in zip(inside, wanted, strict=True)):  # type: ignore[operator]
            return _unequal(b, x, list(zip(fixed(inside), wanted, strict=True)), kind)
        if all(each == 1 for each in wanted) and kind == "AveragePool":
            return b.op("GlobalAveragePool", [b.float(x)])
        kernel = [a // n for a, n in zip(inside, wanted, strict=True)]  # type: ignore[operator]

        def write(name: str) -> str:
            return b.op(kind, [name], kernel_shape=kernel, strides=kernel)

        return _of_integers(b, given["input"], write) if kind == "MaxPool" else write(b.float(x))

    return form


def _unequal(b: Builder, x: Value, sizes: list[tuple[int, Any]], kind: str) -> Any:
    """Adaptive pooling whose windows, from ⌊i n/m⌋ to ⌈(i + 1) n/m⌉, differ in size: one dimension after another.

    sizes  n and m of the last dimensions
    """
    name = b.float(x)
    for axis, (size, number) in enumerate(sizes, start=len(x.shape) - len(sizes)):
        if size == number:
            continue
        windows = [(at * size // number, -(-(at + 1) * size // number)) for at in range(number)]
        axes = b.constant([axis], np.int64, "axes")
        parts = []
        for start, stop in windows:
            ends = [b.constant([each], np.int64, "end") for each in (start, stop)]
            reduced = "ReduceMax" if kind == "MaxPool" else "ReduceMean"
            parts.append(b.op(reduced, [b.op("Slice", [name, *ends, axes]), axes], keepdims=1))
        name = b.op("Concat", parts, axis=axis) if len(parts) > 1 else parts[0]
    return name


def _lp_pool(dims: int) -> Form:
    """(Σ x^p)^(1/p) as torch writes it: the average of powers times the window's size; NaN below 0 for odd p."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        order = float(given["norm_type"])
        kernel = per_dimension(given["kernel_size"], dims)
        if given.get("ceil_mode") or order != 2:
            raise b.fail(f"a pooling by a norm of order {order:g}")
        strides = kernel if given.get("stride") in (None, (), []) else per_dimension(given["stride"], dims)
        return b.op("LpPool", [b.float(given["input"])], kernel_shape=kernel, strides=strides, p=2)

    return form


def spread_any(value: Any, dims: int) -> list[Any]:
    """As `spread`, where None may replace a number."""
    given = list(value) if isinstance(value, (tuple, list)) else [value]
    return given * dims if len(given) == 1 else given


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "sum": _reduction("ReduceSum"),
        "mean": _reduction("ReduceMean"),
        "amax": _reduction("ReduceMax"),
        "amin": _reduction("ReduceMin"),
        **{f"avg_pool{dims}d": _average_pool(dims) for dims in (1, 2, 3)},
        **{f"max_pool{dims}d": _max_pool(dims) for dims in (1, 2, 3)},
        **{f"adaptive_avg_pool{dims}d": _adaptive(dims, "AveragePool") for dims in (1, 2, 3)},
        **{f"lp_pool{dims}d": _lp_pool(dims) for dims in (1, 2, 3)},
        **{f"adaptive_max_pool{dims}d": _adaptive(dims, "MaxPool") for dims in (1, 2, 3)},
    }
)
