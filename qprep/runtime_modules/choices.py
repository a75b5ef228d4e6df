"""Choices between elements: limits, conditions, masks."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Number, Operation


class Clamp(Operation):
    """`torch.clamp` between `min` and `max`, numbers or tensors; on `input` itself where `inplace`."""

    def __init__(self, min: Number | None = None, max: Number | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.min = min
        self.max = max
        self.inplace = inplace

    def forward(self, input: Tensor, min: Number | None = None, max: Number | None = None) -> Tensor:
        """Limit each element of `input`, of any shape."""
        low = self.min if min is None else min
        high = self.max if max is None else max
        return input.clamp_(low, high) if self.inplace else torch.clamp(input, low, high)


class ClampMin(Operation):
    """`torch.clamp_min`; on `input` itself where `inplace`."""

    def __init__(self, min: Number | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.min = min
        self.inplace = inplace

    def forward(self, input: Tensor, min: Number | None = None) -> Tensor:
        """Limit each element of `input`, of any shape, from below."""
        low = self.min if min is None else min
        return input.clamp_(low) if self.inplace else torch.clamp(input, low)


class ClampMax(Operation):
    """`torch.clamp_max`; on `input` itself where `inplace`."""

    def __init__(self, max: Number | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.max = max
        self.inplace = inplace

    def forward(self, input: Tensor, max: Number | None = None) -> Tensor:
        """Limit each element of `input`, of any shape, from above."""
        high = self.max if max is None else max
        return input.clamp_(max=high) if self.inplace else torch.clamp(input, max=high)


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

    def __init__(self, value: Number = 0.0, inplace: bool = False) -> None:
        super().__init__()
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor, mask: Tensor, value: Number | None = None) -> Tensor:
        """Write a value, a number or a tensor of one element, where `mask` holds."""
        value = self.value if value is None else value
        return input.masked_fill_(mask, value) if self.inplace else input.masked_fill(mask, value)
