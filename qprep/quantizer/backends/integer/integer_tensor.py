# ruff: noqa: ANN401 -- values of any kind
"""Integers with a scale: what integer kernels take and give. They compute nothing by themselves, see `dispatch`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import torch
from torch import Tensor

from qprep.quantizer.backends.integer.fixed_point import scaled
from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.graph.tensor_leaves import map_tensors

ACCUMULATOR: Final = 31  # bits of an int32 beside its sign
WIDEST: Final = 61  # bits of an int64 that sums may have
_UNIFORM_BITS: Final = 12  # by how much finer than the coarsest a common scale is


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid of a slot with one scale: the integers from `low` to `high`, of which `zero` encodes 0."""

    scale: float
    zero: int
    low: int
    high: int

    @classmethod
    def of(cls, params: QParams) -> Grid:
        """Of a scale and zero point per tensor."""
        return cls(float(params.scale), int(params.zero_point), params.low, params.high)

    @property
    def bits(self) -> int:
        """Of the largest distance from zero."""
        return max(self.high - self.zero, self.zero - self.low, 1).bit_length()


class IntegerTensor(Tensor):
    """`ints · scale`, with zero points taken off; an accumulator, or on the grid of a slot.

    ints   int32, or int64 where 31 bits do not suffice
    scale  float64, broadcastable to ints: one number, or one for each channel
    bits   bounds the magnitude of ints: below 2^bits
    grid   the slot's grid, None for an accumulator
    """

    ints: Tensor
    scale: Tensor
    bits: int
    grid: Grid | None

    def __new__(cls, ints: Tensor, scale: Tensor | float, bits: int, grid: Grid | None = None) -> Self:
        """See the class."""
        made: Self = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001
            cls, ints.shape, dtype=torch.float32, device=ints.device
        )
        made.ints = ints.to(torch.int32 if bits <= 31 else torch.int64)
        made.scale = torch.as_tensor(scale, dtype=torch.float64)
        made.bits, made.grid = bits, grid
        return made

    @property
    def levels(self) -> Tensor:
        """The integers as a slot stores them, its zero point included."""
        return self.ints if self.grid is None else self.ints + self.grid.zero

    def to_float(self) -> Tensor:
        """The values, float32."""
        return (self.ints.double() * self.scale).float()

    def rescaled(self, scale: Tensor | float, bits: int) -> IntegerTensor:
        """The same values at another scale; `bits` bounds what they are there."""
        target = torch.as_tensor(scale, dtype=torch.float64)
        return IntegerTensor(scaled(self.ints, self.bits, self.scale / target), target, bits)

    def uniform(self) -> IntegerTensor:
        """With one scale for all."""
        if self.scale.dim() == 0 or self.scale.numel() == 1:
            return IntegerTensor(self.ints, self.scale.reshape(()), self.bits, self.grid)
        scale = self.scale.abs().max() * 2.0**-_UNIFORM_BITS
        return self.rescaled(scale, min(self.bits + _UNIFORM_BITS, WIDEST))

    def on(self, grid: Grid) -> IntegerTensor:
        """Requantized to `grid`, clamped to what it can say."""
        if self.grid == grid:
            return self
        ints = scaled(self.ints, self.bits, self.scale / grid.scale)
        return IntegerTensor(ints.clamp(grid.low - grid.zero, grid.high - grid.zero), grid.scale, grid.bits, grid)

    def become(self, other: IntegerTensor) -> None:
        """Take over the values of `other`: what an operation in place does."""
        self.ints, self.scale, self.bits, self.grid = other.ints, other.scale, other.bits, other.grid

    def __repr__(self, **_: object) -> str:  # type: ignore[override]
        kind = "accumulator" if self.grid is None else f"{self.grid}"
        return f"IntegerTensor({self.ints}, {kind})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override] # torch declares it as what disables it
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs an operation that has no integer form on floats."""
        return func(*as_floats(args), **as_floats(kwargs or {}))


def as_floats(value: Any) -> Any:
    """`value` with floats for each integer tensor in it."""
    return map_tensors(lambda _, each: each.to_float() if isinstance(each, IntegerTensor) else each, value)


def aligned(tensors: list[IntegerTensor]) -> list[IntegerTensor]:
    """All at one scale; where they have several, one as fine as 29 bits allow, so that two sums fit an int32."""
    first = tensors[0]
    if all(torch.equal(each.scale, first.scale) for each in tensors[1:]):
        return tensors
    flat = [each.uniform() for each in tensors]
    coarsest = max(float(each.scale) for each in flat)
    widest = max(_bits_at(each, coarsest) for each in flat)
    scale = coarsest * 2.0 ** -max(ACCUMULATOR - 2 - widest, 0)
    return [each.rescaled(scale, min(max(_bits_at(each, scale), 1) + 1, WIDEST)) for each in flat]


def _bits_at(tensor: IntegerTensor, scale: float) -> int:
    return tensor.bits + math.ceil(math.log2(float(tensor.scale) / scale))
