# ruff: noqa: ANN401 -- values of any kind
"""Sums, products, clamps and joins of integer tensors: brought to one scale, then integers as they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from qprep.quantizer.backends.integer.fixed_point import scaled
from qprep.quantizer.backends.integer.integer_choices import masked_sum
from qprep.quantizer.backends.integer.integer_layers import operand
from qprep.quantizer.backends.integer.integer_tensor import ACCUMULATOR, WIDEST, IntegerTensor, aligned
from qprep.quantizer.backends.integer.lookup_tables import looked_up
from qprep.quantizer.graph.call_rows import Call

_FINER: Final = 14  # by so many bits a bound is finer than the integers that it clamps


def _sum(call: Call) -> Any:
    return _added(call, 1.0)


def _difference(call: Call) -> Any:
    return _added(call, -1.0)


def _reflected_difference(call: Call) -> Any:
    swapped = {**call.arguments, "input": call.arguments["other"], "other": call.arguments["input"]}
    return _added(Call("sub", call.op, swapped, False), -1.0)


def _added(call: Call, sign: float) -> Any:
    one, other = _number(call.arguments.get("input")), _number(call.arguments.get("other"))
    for x, mask in ((one, other), (other, one)) if sign > 0 and call.arguments.get("alpha", 1) == 1 else ():
        masked = masked_sum(x, mask) if isinstance(x, IntegerTensor) else None
        if masked is not None:
            return masked
    pair = [constant(each) if isinstance(each, float) else operand(each) for each in (one, other)]
    if pair[0] is None or pair[1] is None:
        return NotImplemented
    first, second = aligned([pair[0], times(pair[1], call.arguments.get("alpha", 1) * sign)])
    ints = first.ints.to(torch.int64) + second.ints
    return IntegerTensor(ints, first.scale, max(first.bits, second.bits) + 1)


def _number(value: Any) -> Any:
    """A constant number as float, whether Python's or a tensor of one value that is never quantized."""
    if isinstance(value, Tensor) and not isinstance(value, IntegerTensor) and value.dim() == 0:
        return float(value)
    return float(value) if isinstance(value, int) else value


def constant(value: float) -> IntegerTensor:
    """A number as 30 bits and a scale."""
    scale = abs(value) * 2.0**-30 or 1.0
    return IntegerTensor(torch.tensor(round(value / scale)), scale, ACCUMULATOR)


def _product(call: Call) -> Any:
    left, right = _number(call.arguments.get("input")), _number(call.arguments.get("other"))
    if isinstance(left, float):
        left, right = right, left
    a = operand(left)
    if a is None:
        return NotImplemented
    if isinstance(right, float):
        return times(a, right)
    b = operand(right)
    if b is None or a.bits + b.bits > WIDEST:
        return NotImplemented
    return IntegerTensor(a.ints.to(torch.int64) * b.ints, a.scale * b.scale, a.bits + b.bits)


def times(tensor: IntegerTensor, factor: float) -> IntegerTensor:
    """The integers stay, the scale takes the factor."""
    if factor < 0:
        return IntegerTensor(-tensor.ints, tensor.scale * -factor, tensor.bits)
    if factor == 0:
        return IntegerTensor(torch.zeros_like(tensor.ints), tensor.scale, tensor.bits)
    return IntegerTensor(tensor.ints, tensor.scale * factor, tensor.bits)


def _quotient(call: Call) -> Any:
    left, right = call.arguments.get("input"), _number(call.arguments.get("other"))
    if call.arguments.get("rounding_mode") is not None or not isinstance(left, IntegerTensor):
        return NotImplemented
    return times(left, 1 / right) if isinstance(right, float) and right else NotImplemented


def _negative(call: Call) -> Any:
    return times(call.arguments["input"], -1.0)


def _clamp(low: Callable[[Call], float], high: Callable[[Call], float]) -> Callable[[Call], Any]:
    def form(call: Call) -> Any:
        x, bounds = operand(call.arguments.get("input")), (low(call), high(call))
        if x is None or any(isinstance(each, Tensor) for each in bounds):
            return NotImplemented
        on_grid = all(bound == 0 or math.isinf(bound) for bound in bounds)
        if not on_grid and x.bits + _FINER <= ACCUMULATOR:
            x = x.rescaled(x.scale * 2.0**-_FINER, x.bits + _FINER)
        least, most = (_limit(x, bound) for bound in bounds)
        ints = torch.minimum(torch.maximum(x.ints.to(torch.int64), least), most)
        return IntegerTensor(ints, x.scale, x.bits, x.grid if on_grid else None)

    return form


def _limit(x: IntegerTensor, bound: float) -> Tensor:
    if math.isinf(bound):
        return torch.tensor(int(math.copysign(2**WIDEST, bound)))
    return torch.round((bound / x.scale).clamp(-(2.0**WIDEST), 2.0**WIDEST)).to(torch.int64)


def _setting(name: str, default: float) -> Callable[[Call], float]:
    def value(call: Call) -> Any:
        found = call.arguments.get(name)
        return default if found is None else found

    return value


def _fixed(value: float) -> Callable[[Call], float]:
    return lambda _: value


def _leaky(call: Call) -> Any:
    x = call.arguments["input"]
    if not isinstance(x, IntegerTensor):
        return NotImplemented
    if x.grid is not None:
        return looked_up(call)
    slope = call.arguments.get("negative_slope", 0.01)
    fine = x.rescaled(x.scale * 2.0**-8, x.bits + 8) if x.bits + 8 <= WIDEST else x
    below = scaled(fine.ints, fine.bits, torch.tensor(float(slope), dtype=torch.float64))
    return IntegerTensor(torch.where(fine.ints >= 0, fine.ints.to(torch.int64), below), fine.scale, fine.bits)


def _prelu(call: Call) -> Any:
    """Below 0 times a slope, one or one for each channel, which the model knows ahead."""
    x, weight = call.arguments["input"], call.arguments["weight"]
    if not isinstance(x, IntegerTensor) or (isinstance(weight, IntegerTensor) and weight.scale.numel() > 1):
        return NotImplemented
    slopes = weight.to_float() if isinstance(weight, IntegerTensor) else weight.detach()
    along = (-1, *[1] * max(x.dim() - 2, 0)) if slopes.numel() > 1 else ()
    fine = x.rescaled(x.scale * 2.0**-8, x.bits + 8) if x.bits + 8 <= WIDEST else x
    below = scaled(fine.ints, fine.bits, slopes.double().reshape(along))
    grown = max(math.ceil(math.log2(max(float(slopes.abs().max()), 1.0))), 0)
    ints = torch.where(fine.ints >= 0, fine.ints.to(torch.int64), below)
    return IntegerTensor(ints, fine.scale, min(fine.bits + grown, WIDEST))


def _gated(call: Call) -> Any:
    """The first half times the sigmoid of the second, by its table."""
    x = call.arguments["input"]
    if not isinstance(x, IntegerTensor) or x.grid is None:
        return NotImplemented
    value, gate = (
        IntegerTensor(half, x.scale, x.bits, x.grid)
        for half in x.uniform().ints.chunk(2, call.arguments.get("dim", -1))
    )
    opened = looked_up(Call("sigmoid", None, {"input": gate}, False))
    return IntegerTensor(value.ints.to(torch.int64) * opened.ints, value.scale * opened.scale, value.bits + opened.bits)


def _resized(call: Call) -> Any:
    """To the nearest value; what lies between values is not an integer."""
    x, given = call.arguments["input"], dict(call.arguments)
    if not isinstance(x, IntegerTensor) or given.get("mode", "nearest") not in ("nearest", "nearest-exact"):
        return NotImplemented
    x = x.uniform()
    given["input"] = x.ints.double()
    ints = torch.nn.functional.interpolate(**given).to(torch.int64)
    return IntegerTensor(ints, x.scale, x.bits, x.grid)


def _joined(function: Callable[..., Tensor]) -> Callable[[Call], Any]:
    def form(call: Call) -> Any:
        parts = [operand(each) for each in call.arguments["tensors"]]
        if any(each is None for each in parts):
            return NotImplemented
        given = [each.uniform() for each in parts if each is not None]
        grids = {each.grid for each in given}
        together = aligned(given)
        ints = function([each.ints.to(torch.int64) for each in together], call.arguments.get("dim", 0))
        grid = grids.pop() if len(grids) == 1 else None
        return IntegerTensor(ints, together[0].scale, max(each.bits for each in together), grid)

    return form


def _padded(call: Call) -> Any:
    x = call.arguments["input"]
    mode, value = call.arguments.get("mode", "constant"), call.arguments.get("value") or 0.0
    if not isinstance(x, IntegerTensor):
        return NotImplemented
    x = x.uniform()
    level = round(value / float(x.scale))
    padded = torch.nn.functional.pad(
        x.ints.double(), call.arguments["pad"], mode, level if mode == "constant" else None
    )
    return IntegerTensor(padded.to(torch.int64), x.scale, max(x.bits, abs(level).bit_length()), x.grid)


def _same(call: Call) -> Any:
    return NotImplemented if call.arguments.get("training") else call.arguments["input"]


def _assigned(call: Call) -> Any:
    target, index, value = (call.arguments.get(name) for name in ("input", "index", "value"))
    if not isinstance(target, IntegerTensor):
        return NotImplemented
    ints = value.rescaled(target.scale, target.bits).ints if isinstance(value, IntegerTensor) else None
    if ints is None:
        ints = torch.round(torch.as_tensor(value).double() / target.scale).to(torch.int64)
    target.ints[index] = ints.to(target.ints.dtype)
    return None


FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType(
    {
        "add": _sum,
        "sub": _difference,
        "rsub": _reflected_difference,
        "mul": _product,
        "div": _quotient,
        "neg": _negative,
        "relu": _clamp(_fixed(0.0), _fixed(math.inf)),
        "relu6": _clamp(_fixed(0.0), _fixed(6.0)),
        "hardtanh": _clamp(_setting("min_val", -1.0), _setting("max_val", 1.0)),
        "clamp": _clamp(_setting("min", -math.inf), _setting("max", math.inf)),
        "clamp_min": _clamp(_setting("min", -math.inf), _fixed(math.inf)),
        "clamp_max": _clamp(_fixed(-math.inf), _setting("max", math.inf)),
        "leaky_relu": _leaky,
        "prelu": _prelu,
        "glu": _gated,
        "interpolate": _resized,
        "cat": _joined(torch.cat),
        "stack": _joined(torch.stack),
        "pad": _padded,
        **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"), _same),
        "setitem": _assigned,
    }
)
