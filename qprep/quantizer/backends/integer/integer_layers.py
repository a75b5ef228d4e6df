# ruff: noqa: ANN401 -- values of any kind
"""Sums of products in integers: linear layers, convolutions, matrix products, lookups of embeddings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from qprep.quantizer.backends.integer.fixed_point import scaled
from qprep.quantizer.backends.integer.held import is_held
from qprep.quantizer.backends.integer.integer_tensor import ACCUMULATOR, IntegerTensor
from qprep.quantizer.graph.call_rows import Call

_EXTRA: Final = 20  # zeros have any scale: one so fine that a bias beside them keeps its bits
_FINER: Final = 12  # bits that a bias has below one product of integers, where there is room
_EXACT: Final = 53  # bits of an integer that a float64 holds

Product = Callable[[Tensor, Tensor], Tensor]


def accumulated(x: IntegerTensor, weight: IntegerTensor, terms: int, product: Product, scale: Tensor) -> IntegerTensor:
    """`product` of the integers, exactly: float64 holds every sum of fewer than 53 bits.

    terms  how many products a sum has, see `fits`; `scale` broadcasts to the result. Accumulators are int32 where that
    bounds them (8 bits by 8 bits: up to 65536 terms), int64 otherwise.
    """
    bits = _bits(x, weight, terms)
    found = product(x.ints.double(), weight.ints.double())
    # The bound is of the worst case; what int32 holds of it is what a runtime for 8 bits has.
    narrow = max(x.bits, weight.bits) <= 8 and bits <= ACCUMULATOR + 4 and bool((found.abs() < 2**ACCUMULATOR).all())
    return IntegerTensor(found.to(torch.int64), scale, min(bits, ACCUMULATOR) if narrow else bits)


def _bits(x: IntegerTensor, weight: IntegerTensor, terms: int) -> int:
    return x.bits + weight.bits + max(terms - 1, 0).bit_length()


def fits(x: IntegerTensor, weight: IntegerTensor, terms: int) -> bool:
    """True if sums of so many products are exact; accumulators times accumulators are not, for one."""
    return _bits(x, weight, terms) <= _EXACT


def plus_bias(sums: IntegerTensor, bias: Any, trailing: int) -> IntegerTensor:
    """`sums` and `bias` (channels,), which is followed by `trailing` dimensions; None adds nothing.

    Sums are shifted left by what an int32 leaves, so that the bias is not rounded to whole products; where a channel's
    scale is too fine for its bias (a dead channel's), it is made coarser.
    """
    if bias is None:
        return sums
    room = min(max(ACCUMULATOR - 1 - sums.bits, 0), _FINER)
    sums = IntegerTensor(sums.ints.to(torch.int64) << room, sums.scale * 2.0**-room, sums.bits + room)
    values = bias if isinstance(bias, IntegerTensor) else constants(bias)
    shape = (-1, *[1] * trailing)
    ints, own = values.ints.reshape(shape), values.scale.reshape(shape) if values.scale.dim() else values.scale
    least = (ints.abs().double() * own) * 2.0 ** -(sums.bits - 1)
    scale = torch.maximum(sums.scale.abs(), least)
    if bool((scale > sums.scale.abs()).any()):
        sums = sums.rescaled(torch.where(scale > sums.scale.abs(), scale, sums.scale), sums.bits)
    added = scaled(ints, values.bits, own / sums.scale)
    return IntegerTensor(sums.ints.to(torch.int64) + added, sums.scale, sums.bits + 1)


def constants(values: Tensor) -> IntegerTensor:
    """Numbers known ahead, a bias for one, as int32 with a scale of their own."""
    scale = float(values.abs().max()) * 2.0**-30 or 1.0
    return IntegerTensor(torch.round(values.double() / scale).to(torch.int64), scale, ACCUMULATOR)


def operand(value: Any) -> IntegerTensor | None:
    """`value` as integers: where it is, is all zeros (a first state), or is the model's own and so a constant."""
    if isinstance(value, IntegerTensor):
        return value
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return None
    if not bool(value.any()):
        return IntegerTensor(torch.zeros(value.shape, dtype=torch.int64), 2.0**-_EXTRA, 1)
    return constants(value.detach()) if is_held(value) and bool(torch.isfinite(value).all()) else None


def _given(call: Call) -> tuple[IntegerTensor, IntegerTensor] | None:
    x, weight = operand(call.arguments.get("input")), call.arguments.get("weight")
    if x is None or not isinstance(weight, IntegerTensor):
        return None
    return x.uniform(), weight


def _linear(call: Call) -> Any:
    pair = _given(call)
    if pair is None:
        return NotImplemented
    x, weight = pair
    if weight.scale.dim() and weight.scale.shape[1:].numel() > 1:
        weight = weight.uniform()  # one scale for each group of inputs: a finer one for all
    scale = x.scale * (weight.scale.reshape(-1) if weight.scale.dim() else weight.scale)
    if not fits(x, weight, weight.shape[1]):
        return NotImplemented
    sums = accumulated(x, weight, weight.shape[1], functional.linear, scale)
    return plus_bias(sums, call.arguments.get("bias"), 0)


def _convolution(dims: int) -> Callable[[Call], Any]:
    function = getattr(functional, f"conv{dims}d")

    def form(call: Call) -> Any:
        pair = _given(call)
        if pair is None:
            return NotImplemented
        x, weight = pair
        if weight.scale.dim() and weight.scale.shape[1:].numel() > 1:
            weight = weight.uniform()
        rest = {name: value for name, value in call.arguments.items() if name not in ("input", "weight", "bias")}
        scale = x.scale * (weight.scale.reshape(-1, *[1] * dims) if weight.scale.dim() else weight.scale)
        terms = weight.shape[1:].numel()
        if not fits(x, weight, terms):
            return NotImplemented
        sums = accumulated(x, weight, terms, lambda a, b: function(a, b, None, **rest), scale)
        return plus_bias(sums, call.arguments.get("bias"), dims)

    return form


def _transposed(dims: int) -> Callable[[Call], Any]:
    function = getattr(functional, f"conv_transpose{dims}d")

    def form(call: Call) -> Any:
        pair = _given(call)
        if pair is None:
            return NotImplemented
        x, weight = pair
        rest = {name: value for name, value in call.arguments.items() if name not in ("input", "weight", "bias")}
        groups = rest.get("groups", 1)
        if weight.scale.numel() not in (1, weight.shape[1]):
            weight = weight.uniform()
        scale = x.scale * weight.scale
        if weight.scale.dim():
            scale = (x.scale * weight.scale.reshape(-1).repeat(groups)).reshape(-1, *[1] * dims)
        terms = weight.shape[0] // groups * math.prod(weight.shape[2:])
        if not fits(x, weight, terms):
            return NotImplemented
        sums = accumulated(x, weight, terms, lambda a, b: function(a, b, None, **rest), scale)
        return plus_bias(sums, call.arguments.get("bias"), dims)

    return form


def _product(left: str, right: str, function: Product) -> Callable[[Call], Any]:
    def form(call: Call) -> Any:
        a, b = operand(call.arguments.get(left)), operand(call.arguments.get(right))
        if a is None or b is None:
            return NotImplemented
        a, b = a.uniform(), b.uniform()
        if not fits(a, b, a.shape[-1]):
            return NotImplemented
        return accumulated(a, b, a.shape[-1], function, a.scale * b.scale)

    return form


def _embedding(call: Call) -> Any:
    weight, index = call.arguments["weight"], call.arguments["input"]
    if not isinstance(weight, IntegerTensor) or call.arguments.get("max_norm") is not None:
        return NotImplemented
    scale = weight.scale
    if scale.dim():
        if scale.shape[1:].numel() > 1:
            return NotImplemented
        scale = scale.reshape(-1)[index].unsqueeze(-1)
    return IntegerTensor(weight.ints[index], scale, weight.bits, weight.grid)


FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType(
    {
        "linear": _linear,
        **{f"conv{dims}d": _convolution(dims) for dims in (1, 2, 3)},
        **{f"conv_transpose{dims}d": _transposed(dims) for dims in (1, 2, 3)},
        "matmul": _product("input", "other", torch.matmul),
        "bmm": _product("input", "mat2", torch.bmm),
        "mm": _product("input", "mat2", torch.mm),
        "embedding": _embedding,
    }
)
