# ruff: noqa: ANN401 -- values of any kind
"""Softmax and normalizations in integers: a table of powers, integer division, an integer square root."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from qprep.quantizer.backends.integer.fixed_point import divided, root, shifted
from qprep.quantizer.backends.integer.integer_layers import constants, plus_bias
from qprep.quantizer.backends.integer.integer_tensor import ACCUMULATOR, IntegerTensor
from qprep.quantizer.graph.call_rows import Call

_UNIT: Final = 30  # softmax counts in 2^-30
_NOTHING: Final = 22.0  # e^-22 is less than half of that
_ENTRIES: Final = 2**18
_BEHIND: Final = 12  # bits behind the point of a variance


def _softmax(call: Call) -> Any:
    """exp(x - max x) from a table over the distance to the largest, divided by its sum."""
    x, dim = call.arguments["input"], call.arguments.get("dim")
    if not isinstance(x, IntegerTensor) or dim is None or call.arguments.get("dtype") is not None:
        return NotImplemented
    x = _coarse_enough(x.uniform())
    entries = math.ceil(_NOTHING / float(x.scale)) + 1
    ints = x.ints.to(torch.int64)
    below = (ints.amax(dim, keepdim=True) - ints).clamp(max=entries - 1)
    reach = torch.arange(entries).double() * -x.scale
    powers = torch.round(torch.exp(reach) * 2.0**_UNIT).to(torch.int64)[below]
    shares = divided(powers << _UNIT, powers.sum(dim, keepdim=True))
    return IntegerTensor(shares, 2.0**-_UNIT, ACCUMULATOR)


def _coarse_enough(x: IntegerTensor) -> IntegerTensor:
    """On no finer scale than the table has entries for."""
    coarser = math.log2(_NOTHING / _ENTRIES / float(x.scale))
    return x if coarser <= 0 else x.rescaled(_NOTHING / _ENTRIES, max(x.bits - math.floor(coarser), 1) + 1)


def _safe_softmax(call: Call) -> Any:
    """torch._safe_softmax, which the catalogue does not list; it differs where all is masked by -inf alone."""
    names = dict(zip(("0", "1"), ("input", "dim"), strict=True))
    return _softmax(
        Call(call.name, None, {names.get(name, name): each for name, each in call.arguments.items()}, False)
    )


def _batch_norm(call: Call) -> Any:
    """x γ/σ + (β - μ γ/σ): the factor goes to the scale of each channel, the shift is added as a bias is."""
    given = call.arguments
    x, mean, variance = given["input"], given.get("running_mean"), given.get("running_var")
    if not isinstance(x, IntegerTensor) or given.get("training") or mean is None or variance is None:
        return NotImplemented
    weight, bias = (_float(given.get(name)) for name in ("weight", "bias"))
    factor = torch.rsqrt(variance.double() + given.get("eps", 1e-5))
    factor = factor if weight is None else factor * weight.double()
    shift = -mean.double() * factor if bias is None else bias.double() - mean.double() * factor
    fine = x if x.bits > 16 else x.rescaled(x.scale * 2.0**-12, x.bits + 12)
    trailing = max(x.dim() - 2, 0)
    across = factor.reshape(-1, *[1] * trailing)
    # A factor of zero has no scale: the channel's integers are zero instead.
    kept = torch.where(across == 0, torch.zeros_like(across), torch.sign(across)).to(torch.int64)
    scale = fine.scale * torch.where(across == 0, torch.ones_like(across), across.abs())
    return plus_bias(IntegerTensor(fine.ints.to(torch.int64) * kept, scale, fine.bits), shift, trailing)


def _layer_norm(call: Call) -> Any:
    return _over_last(call, centered=True, eps=float(call.arguments.get("eps", 1e-5)))


def _rms_norm(call: Call) -> Any:
    eps = call.arguments.get("eps")
    return _over_last(call, centered=False, eps=torch.finfo(torch.float32).eps if eps is None else float(eps))


def _over_last(call: Call, centered: bool, eps: float) -> Any:
    """A normalization over the last dimensions, which have a weight and a bias for each place."""
    given = call.arguments
    x, shape = given["input"], given["normalized_shape"]
    if not isinstance(x, IntegerTensor) or x.grid is None:
        return NotImplemented
    dims = 1 if isinstance(shape, int) else len(shape)
    found = _normalized(x.uniform(), x.ints.flatten(-dims), centered, eps)
    weight, bias = (
        each if each is None else each.reshape(-1) for each in map(_float, map(given.get, ("weight", "bias")))
    )
    made = plus_bias(_weighted(found, weight, 0), bias, 0)
    return _shaped(made, x.shape)


def _group_norm(call: Call) -> Any:
    """Over the channels of a group and all that is behind them; a weight and a bias for each channel."""
    x, groups = call.arguments["input"], call.arguments.get("num_groups")
    return _over_groups(call, x.shape[1] if groups is None else groups)


def _instance_norm(call: Call) -> Any:
    given = call.arguments
    if not given.get("use_input_stats", True):
        return _batch_norm(call)
    return _over_groups(call, given["input"].shape[1])


def _over_groups(call: Call, groups: int) -> Any:
    given = call.arguments
    x = given["input"]
    if not isinstance(x, IntegerTensor) or x.grid is None or x.dim() < 2:
        return NotImplemented
    rows = x.ints.reshape(x.shape[0], groups, -1)
    found = _shaped(_normalized(x.uniform(), rows, True, float(given.get("eps", 1e-5))), x.shape)
    trailing = x.dim() - 2
    return plus_bias(_weighted(found, _float(given.get("weight")), trailing), _float(given.get("bias")), trailing)


def _shaped(x: IntegerTensor, shape: Sequence[int]) -> IntegerTensor:
    scale = x.scale.expand(x.shape).reshape(tuple(shape)) if x.scale.dim() else x.scale
    return IntegerTensor(x.ints.reshape(tuple(shape)), scale, x.bits)


def _normalized(x: IntegerTensor, rows: Tensor, centered: bool, eps: float) -> IntegerTensor:
    """(x - μ)/σ over the last dimension of `rows`: n x - Σx divided by the integer root of its mean square.

    Without `centered` μ is 0, and σ the root of the mean square.
    """
    ints, n = rows.to(torch.int64), rows.shape[-1]
    bits = x.bits + n.bit_length()
    drop = max(2 * bits + n.bit_length() + _BEHIND - 62, 0) + 1 >> 1
    bits -= drop
    around = n * ints - ints.sum(-1, keepdim=True) if centered else n * ints
    around = shifted(around, torch.tensor(drop))
    least = round(eps * (n / float(x.scale)) ** 2 * 2.0 ** (_BEHIND - 2 * drop))
    squares = divided(around.pow(2).sum(-1, keepdim=True) << _BEHIND, torch.tensor(n))
    spread = root((squares + min(least, 2**61)).clamp(min=1))
    largest = n.bit_length() // 2 + 1  # bits before the point: no value is further than √n deviations away
    up = min(60 - bits, _BEHIND // 2 + ACCUMULATOR - 1 - largest)
    ratio = divided(around << up, spread)
    return IntegerTensor(ratio, 2.0 ** (_BEHIND // 2 - up), max(up - _BEHIND // 2, 0) + largest + 1)


def _weighted(x: IntegerTensor, weight: Tensor | None, trailing: int) -> IntegerTensor:
    """Times a weight (channels,) before `trailing` dimensions."""
    if weight is None:
        return x
    factors = constants(weight)
    product = x.ints.to(torch.int64) * factors.ints.reshape(-1, *[1] * trailing)
    return IntegerTensor(product, x.scale * factors.scale, x.bits + factors.bits)


def _float(value: Any) -> Tensor | None:
    return value.to_float() if isinstance(value, IntegerTensor) else value


FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType(
    {
        "softmax": _softmax,
        "_safe_softmax": _safe_softmax,
        "batch_norm": _batch_norm,
        "layer_norm": _layer_norm,
        "rms_norm": _rms_norm,
        "group_norm": _group_norm,
        "instance_norm": _instance_norm,
    }
)
