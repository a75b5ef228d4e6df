"""Modules that replace tensor quantizers in an integer model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qprep.quantizer.backends.integer.dispatch import ComputingTensor, computing
from qprep.quantizer.backends.integer.integer_tensor import Grid, IntegerTensor
from qprep.quantizer.formats.affine import QParams, fake_quantize
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer, TensorQuantizer


class Requantize(nn.Module):
    """Brings what passes to the grid of a slot: by multiplier and shift where it is integers already."""

    def __init__(self, name: str, grid: Grid) -> None:
        super().__init__()
        self.name = name
        self.grid = grid

    def forward(self, input: Tensor) -> Tensor:
        """Integers on the grid; empty, integer and boolean tensors pass."""
        if input.numel() == 0 or not input.is_floating_point():
            return input
        if isinstance(input, IntegerTensor):
            return computing(input.on(self.grid))  # type: ignore[no-any-return]
        return quantized(input, self.grid)

    def extra_repr(self) -> str:
        """The grid."""
        return f"{self.grid.low} to {self.grid.high}, zero {self.grid.zero}, scale {self.grid.scale:.6g}"


def quantized(input: Tensor, grid: Grid) -> IntegerTensor:
    """Float values as the integers that the simulation rounds them to."""
    scale, zero = torch.tensor(grid.scale), torch.tensor(grid.zero, dtype=torch.int32)
    values = fake_quantize(input.float(), QParams(scale, zero, grid.low, grid.high))
    return ComputingTensor(torch.round(values.double() / grid.scale).to(torch.int64), grid.scale, grid.bits, grid)


class InFloat(nn.Module):
    """A slot that the simulation keeps in a floating format, or that takes each tensor's own range."""

    def __init__(self, slot: TensorQuantizer) -> None:
        super().__init__()
        self.slot = slot

    def forward(self, input: Tensor) -> Tensor:
        """As the slot of the simulation; integers again where its range is dynamic."""
        values = input.to_float() if isinstance(input, IntegerTensor) else input
        if not isinstance(self.slot, DynamicActivationQuantizer) or not input.is_floating_point() or not input.numel():
            return self.slot(values)  # type: ignore[no-any-return]
        return quantized(values, Grid.of(self.slot.params_of(values)))


class IntegerParameter(nn.Module):
    """Reads a parameter that holds integers: `scale` and `zero` broadcast to it, `bits` bounds integers less zero."""

    scale: Tensor
    zero: Tensor

    def __init__(self, name: str, scale: Tensor, zero: Tensor, bits: int) -> None:
        super().__init__()
        self.name = name
        self.bits = bits
        self.register_buffer("scale", scale.double())
        self.register_buffer("zero", zero.to(torch.int64))

    def forward(self, input: Tensor) -> Tensor:
        """The parameter with its scale."""
        return ComputingTensor(input.detach().to(torch.int64) - self.zero, self.scale, self.bits)
