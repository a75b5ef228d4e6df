"""Absolute values, signs and rounding, element by element."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Abs(Operation):
    """`abs(input)`; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.abs_()
        return abs(input)


class Ceil(Operation):
    """`torch.ceil` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.ceil_()
        return torch.ceil(input)


class Floor(Operation):
    """`torch.floor` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.floor_()
        return torch.floor(input)


class Trunc(Operation):
    """`torch.trunc` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.trunc_()
        return torch.trunc(input)


class Frac(Operation):
    """`torch.frac` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.frac_()
        return torch.frac(input)


class Round(Operation):
    """`torch.round` as a module; on `input` itself where `inplace`."""

    def __init__(self, decimals: int = 0, inplace: bool = False) -> None:
        super().__init__()
        self.decimals = decimals
        self.inplace = inplace

    def forward(self, input: Tensor, decimals: int | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        decimals = self.decimals if decimals is None else decimals
        if decimals == 0:  # torch knows that of integers too
            return input.round_() if self.inplace else torch.round(input)
        return input.round_(decimals=decimals) if self.inplace else torch.round(input, decimals=decimals)


class Sign(Operation):
    """`torch.sign` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.sign_()
        return torch.sign(input)


class Sgn(Operation):
    """`torch.sgn` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.sgn_()
        return torch.sgn(input)


class NanToNum(Operation):
    """`torch.nan_to_num` as a module; on `input` itself where `inplace`."""

    def __init__(
        self, nan: float | None = None, posinf: float | None = None, neginf: float | None = None, inplace: bool = False
    ) -> None:
        super().__init__()
        self.nan = nan
        self.posinf = posinf
        self.neginf = neginf
        self.inplace = inplace

    def forward(
        self, input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
    ) -> Tensor:
        """Map `input`, of any shape, element by element."""
        nan = self.nan if nan is None else nan
        posinf = self.posinf if posinf is None else posinf
        neginf = self.neginf if neginf is None else neginf
        if self.inplace:
            return input.nan_to_num_(nan, posinf, neginf)
        return torch.nan_to_num(input, nan, posinf, neginf)
