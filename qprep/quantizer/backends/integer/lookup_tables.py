# ruff: noqa: ANN401 -- values of any kind
"""Functions of one number as lookup tables: one entry for each integer of the slot that they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from qprep.quantizer.backends.integer.integer_tensor import ACCUMULATOR, Grid, IntegerTensor
from qprep.quantizer.graph.call_rows import Call

_OUT: Final = ("inplace", "_stacklevel", "training")
_ENTRY: Final = ACCUMULATOR - 1  # bits of an entry's magnitude


@lru_cache(maxsize=128)
def _table(name: str, settings: tuple[tuple[str, Any], ...], grid: Grid) -> tuple[Tensor, float] | None:
    """The function at every integer of `grid` as int32 entries, and their scale; None if one is not finite."""
    levels = torch.arange(grid.low - grid.zero, grid.high - grid.zero + 1)
    values = _function(name)((levels * grid.scale).float(), **dict(settings)).double()
    if not bool(torch.isfinite(values).all()):
        return None
    scale = float(values.abs().max()) * 2.0**-_ENTRY or 1.0
    return torch.round(values / scale).to(torch.int32), scale


def _function(name: str) -> Callable[..., Tensor]:
    places = (torch.nn.functional, torch, torch.special)
    found: Callable[..., Tensor] = next(getattr(place, name) for place in places if hasattr(place, name))
    return found


def looked_up(call: Call) -> Any:
    """The function of `call` by a table; NotImplemented for accumulators, whose values no table lists."""
    x = call.arguments.get("input")
    given = {name: value for name, value in call.arguments.items() if name != "input" and name not in _OUT}
    if not isinstance(x, IntegerTensor) or x.grid is None or any(isinstance(each, Tensor) for each in given.values()):
        return NotImplemented
    found = _table(call.name, tuple(sorted(given.items())), x.grid)
    if found is None:
        return NotImplemented
    entries, scale = found
    return IntegerTensor(entries[(x.ints - (x.grid.low - x.grid.zero)).long()], scale, ACCUMULATOR)


# Every function of the catalogue that maps number to number; what clamps has a form of its own.
_NAMES: Final = (  # noqa: SIM905
    "elu celu selu threshold hardshrink softshrink gelu silu mish hardswish softplus tanhshrink logsigmoid sigmoid "
    "hardsigmoid tanh softsign exp exp2 expm1 log log10 log1p log2 sqrt rsqrt square reciprocal sin cos tan sinh cosh "
    "asin acos atan asinh acosh atanh sinc erf erfc erfinv ndtr ceil floor trunc frac sign round abs pow"
).split()
FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType(dict.fromkeys(_NAMES, looked_up))
