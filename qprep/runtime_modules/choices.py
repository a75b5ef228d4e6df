"""Choices between elements: limits, conditions, masks."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Clamp(Operation):
    """`torch.clamp` between `min` and `max`, numbers or tensors; on `input` itself where `inplace`."""

    min: int | float | None
    max: int | float | None

    def __init__(self, min: int | float | None = None, max: int | float | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.min = min
        self.max = max
        self.inplace = inplace

    def forward(self, input: Tensor, min: int | float | None = None, max: int | float | None = None) -> Tensor:
        """Limit each element of `input`, of any shape."""
        min = self.min if min is None else min
        max = self.max if max is None else max
        return input.clamp_(min, max) if self.inplace else torch.clamp(input, min, max)


class ClampMin(Operation):
    """`torch.clamp_min`; on `input` itself where `inplace`."""

    min: int | float | None

    def __init__(self, min: int | float | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.min = min
        self.inplace = inplace

    def forward(self, input: Tensor, min: int | float | None = None) -> Tensor:
        """Limit each element of `input`, of any shape, from below."""
        min = self.min if min is None else min
        return input.clamp_(min) if self.inplace else torch.clamp(input, min)


class ClampMax(Operation):
    """`torch.clamp_max`; on `input` itself where `inplace`."""

    max: int | float | None

    def __init__(self, max: int | float | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.max = max
        self.inplace = inplace

    def forward(self, input: Tensor, max: int | float | None = None) -> Tensor:
        """Limit each element of `input`, of any shape, from above."""
        max = self.max if max is None else max
        return input.clamp_(max=max) if self.inplace else torch.clamp(input, max=max)


class Where(Operation):
    """`torch.where`."""

    def forward(
        self, condition: Tensor, input: Tensor | None = None, other: Tensor | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        """Take `input` where `condition` holds, else `other`; the indices where it holds, without them."""
        if input is None or other is None:
            return torch.where(condition)
        return torch.where(condition, input, other)


class MaskedFill(Operation):
    """`Tensor.masked_fill` with `value`; on `input` itself where `inplace`."""

    value: int | float

    def __init__(self, value: int | float = 0.0, inplace: bool = False) -> None:
        super().__init__()
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor, mask: Tensor, value: int | float | None = None) -> Tensor:
        """Write a value, a number or a tensor of one element, where `mask` holds."""
        value = self.value if value is None else value
        return input.masked_fill_(mask, value) if self.inplace else input.masked_fill(mask, value)
