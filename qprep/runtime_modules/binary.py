"""Functions of two tensors, element by element."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Fmod(Operation):
    """`torch.fmod` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.fmod_(other)
        return torch.fmod(input, other)


class FloatPower(Operation):
    """`torch.float_power` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, exponent: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.float_power_(exponent)
        return torch.float_power(input, exponent)


class Maximum(Operation):
    """`torch.maximum` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        return torch.maximum(input, other)


class Minimum(Operation):
    """`torch.minimum` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        return torch.minimum(input, other)


class Fmax(Operation):
    """`torch.fmax` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        return torch.fmax(input, other)


class Fmin(Operation):
    """`torch.fmin` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        return torch.fmin(input, other)


class Atan2(Operation):
    """`torch.atan2` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.atan2_(other)
        return torch.atan2(input, other)


class Hypot(Operation):
    """`torch.hypot` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.hypot_(other)
        return torch.hypot(input, other)


class CopySign(Operation):
    """`torch.copysign` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.copysign_(other)
        return torch.copysign(input, other)


class NextAfter(Operation):
    """`torch.nextafter` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.nextafter_(other)
        return torch.nextafter(input, other)


class Heaviside(Operation):
    """`torch.heaviside` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, values: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.heaviside_(values)
        return torch.heaviside(input, values)


class LogAddExp(Operation):
    """`torch.logaddexp` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        return torch.logaddexp(input, other)


class LogAddExp2(Operation):
    """`torch.logaddexp2` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        return torch.logaddexp2(input, other)


class Xlogy(Operation):
    """`torch.xlogy` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.xlogy_(other)
        return torch.xlogy(input, other)


class Xlog1py(Operation):
    """`torch.special.xlog1py` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        result: Tensor = torch.special.xlog1py(input, other)
        return result


class Ldexp(Operation):
    """`torch.ldexp` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.ldexp_(other)
        return torch.ldexp(input, other)
