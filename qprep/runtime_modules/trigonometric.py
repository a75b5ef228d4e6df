"""Trigonometric and hyperbolic functions, element by element."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Sin(Operation):
    """`torch.sin` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.sin_()
        return torch.sin(input)


class Cos(Operation):
    """`torch.cos` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.cos_()
        return torch.cos(input)


class Tan(Operation):
    """`torch.tan` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.tan_()
        return torch.tan(input)


class Sinh(Operation):
    """`torch.sinh` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.sinh_()
        return torch.sinh(input)


class Cosh(Operation):
    """`torch.cosh` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.cosh_()
        return torch.cosh(input)


class Asin(Operation):
    """`torch.asin` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.asin_()
        return torch.asin(input)


class Acos(Operation):
    """`torch.acos` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.acos_()
        return torch.acos(input)


class Atan(Operation):
    """`torch.atan` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.atan_()
        return torch.atan(input)


class Asinh(Operation):
    """`torch.asinh` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.asinh_()
        return torch.asinh(input)


class Acosh(Operation):
    """`torch.acosh` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.acosh_()
        return torch.acosh(input)


class Atanh(Operation):
    """`torch.atanh` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.atanh_()
        return torch.atanh(input)


class Sinc(Operation):
    """`torch.sinc` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.sinc_()
        return torch.sinc(input)
