# ruff: noqa: ANN401 -- values of any kind
"""Pooling, sums, means and extrema of integers: sums stay integers, what they are divided by goes to the scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from qprep.quantizer.backends.integer.integer_tensor import IntegerTensor
from qprep.quantizer.graph.call_rows import Call
from qprep.quantizer.graph.layer_rows import per_dimension


def _summed(average: Tensor, counts: Tensor, x: IntegerTensor) -> IntegerTensor:
    """Sums from averages in float64, which are exact once they are rounded; `counts` is what each was divided by."""
    sums = torch.round(average * counts).to(torch.int64)
    bits = x.bits + int(counts.max()).bit_length()
    return IntegerTensor(sums, x.scale / counts, bits)


def _average(dims: int) -> Callable[[Call], Any]:
    function = getattr(functional, f"avg_pool{dims}d")

    def form(call: Call) -> Any:
        x = call.arguments["input"].uniform()
        given = {name: value for name, value in call.arguments.items() if name != "input"}
        average = function(x.ints.double(), **given)
        override = given.get("divisor_override")
        if override is not None:
            return _summed(average, torch.tensor(float(override), dtype=torch.float64), x)
        kernel, padding = per_dimension(given["kernel_size"], dims), per_dimension(given.get("padding", 0), dims)
        stride = kernel if given.get("stride") in (None, (), []) else per_dimension(given["stride"], dims)
        include = given.get("count_include_pad", True)
        sizes = [
            _windows(
                x.shape[axis - dims],
                average.shape[axis - dims],
                (kernel[axis], stride[axis], padding[axis]),
                padding[axis] if include else 0,
            )
            for axis in range(dims)
        ]
        return _summed(average, _outer(sizes), x)

    return form


def _windows(length: int, places: int, window: tuple[int, int, int], edge: int) -> Tensor:
    """The number of values of [-edge, length + edge) in each window (size, stride, padding)."""
    size, stride, padding = window
    start = torch.arange(places) * stride - padding
    return ((start + size).clamp(max=length + edge) - start.clamp(min=-edge)).double()


def _adaptive(dims: int) -> Callable[[Call], Any]:
    function = getattr(functional, f"adaptive_avg_pool{dims}d")

    def form(call: Call) -> Any:
        x = call.arguments["input"].uniform()
        average = function(x.ints.double(), call.arguments["output_size"])
        sizes = []
        for axis in range(-dims, 0):
            length, places = x.shape[axis], average.shape[axis]
            place = torch.arange(places)
            end = torch.div((place + 1) * length + places - 1, places, rounding_mode="floor")
            sizes.append((end - torch.div(place * length, places, rounding_mode="floor")).double())
        return _summed(average, _outer(sizes), x)

    return form


def _outer(sizes: Sequence[Tensor]) -> Tensor:
    product = reduce(lambda found, each: found.unsqueeze(-1) * each, sizes)
    return product.reshape(-1)[0] if bool((product == product.reshape(-1)[0]).all()) else product


def _sum(call: Call) -> Any:
    x, dims, keep = _reduced(call)
    if x is None:
        return NotImplemented
    terms = math.prod(x.shape[dim] for dim in dims)
    ints = x.ints.to(torch.int64).sum(dims, keep)
    return IntegerTensor(ints, x.scale, x.bits + max(terms - 1, 1).bit_length())


def _mean(call: Call) -> Any:
    x, dims, _ = _reduced(call)
    if x is None:
        return NotImplemented
    sums = _sum(call)
    terms = math.prod(x.shape[dim] for dim in dims)
    return IntegerTensor(sums.ints, sums.scale / terms, sums.bits)


def _reduced(call: Call) -> tuple[IntegerTensor | None, list[int], bool]:
    x, dim = call.arguments["input"], call.arguments.get("dim")
    if not isinstance(x, IntegerTensor) or call.arguments.get("dtype") is not None:
        return None, [], False
    dims = list(range(x.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    return x.uniform(), dims or list(range(x.dim())), bool(call.arguments.get("keepdim", False))


def _selected(function: Callable[..., Any]) -> Callable[[Call], Any]:
    """A form for operations that pick values: the order of integers is that of values."""

    def form(call: Call) -> Any:
        x = call.arguments["input"]
        rest = {name: value for name, value in call.arguments.items() if name != "input"}
        if not isinstance(x, IntegerTensor) or any(isinstance(each, Tensor) for each in rest.values()):
            return NotImplemented
        flat = x.uniform()
        out = function(flat.ints.double(), **rest)

        def made(values: Tensor) -> IntegerTensor:
            return IntegerTensor(values.to(torch.int64), flat.scale, flat.bits, flat.grid)

        if isinstance(out, Tensor):
            return made(out)
        return type(out)((made(out[0]), *out[1:])) if hasattr(out, "_fields") else (made(out[0]), *out[1:])

    return form


FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType(
    {
        **{f"avg_pool{dims}d": _average(dims) for dims in (1, 2, 3)},
        **{f"adaptive_avg_pool{dims}d": _adaptive(dims) for dims in (1, 2, 3)},
        **{
            name: _selected(getattr(functional, name))
            for dims in (1, 2, 3)
            for name in (f"max_pool{dims}d", f"adaptive_max_pool{dims}d", f"max_pool{dims}d_with_indices")
        },
        **{name: _selected(getattr(torch, name)) for name in ("amax", "amin", "max", "min")},
        "sum": _sum,
        "mean": _mean,
    }
)
