"""Exponentials, logarithms, roots and scalings, element by element."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Exp(Operation):
    """`torch.exp` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.exp_()
        return torch.exp(input)


class Exp2(Operation):
    """`torch.exp2` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.exp2_()
        return torch.exp2(input)


class Expm1(Operation):
    """`torch.expm1` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.expm1_()
        return torch.expm1(input)


class Log(Operation):
    """`torch.log` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.log_()
        return torch.log(input)


class Log10(Operation):
    """`torch.log10` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.log10_()
        return torch.log10(input)


class Log1p(Operation):
    """`torch.log1p` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.log1p_()
        return torch.log1p(input)


class Log2(Operation):
    """`torch.log2` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.log2_()
        return torch.log2(input)


class Sqrt(Operation):
    """`torch.sqrt` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.sqrt_()
        return torch.sqrt(input)


class Rsqrt(Operation):
    """`torch.rsqrt` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.rsqrt_()
        return torch.rsqrt(input)


class Square(Operation):
    """`torch.square` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.square_()
        return torch.square(input)


class Reciprocal(Operation):
    """`torch.reciprocal` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.reciprocal_()
        return torch.reciprocal(input)


class Logit(Operation):
    """`torch.logit` as a module; on `input` itself where `inplace`."""

    def __init__(self, eps: float | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.eps = eps
        self.inplace = inplace

    def forward(self, input: Tensor, eps: float | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.logit_(self.eps if eps is None else eps)
        return torch.logit(input, self.eps if eps is None else eps)


class Deg2Rad(Operation):
    """`torch.deg2rad` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.deg2rad_()
        return torch.deg2rad(input)


class Rad2Deg(Operation):
    """`torch.rad2deg` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.rad2deg_()
        return torch.rad2deg(input)


class Angle(Operation):
    """`torch.angle` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return torch.angle(input)


class ConjPhysical(Operation):
    """`torch.conj_physical` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.conj_physical_()
        return torch.conj_physical(input)
