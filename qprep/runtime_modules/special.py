"""Special functions, element by element."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Erf(Operation):
    """`torch.erf` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.erf_()
        return torch.erf(input)


class Erfc(Operation):
    """`torch.erfc` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.erfc_()
        return torch.erfc(input)


class Erfinv(Operation):
    """`torch.erfinv` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.erfinv_()
        return torch.erfinv(input)


class Lgamma(Operation):
    """`torch.lgamma` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.lgamma_()
        return torch.lgamma(input)


class Digamma(Operation):
    """`torch.digamma` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.digamma_()
        return torch.digamma(input)


class I0(Operation):
    """`torch.i0` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.i0_()
        return torch.i0(input)


class Entr(Operation):
    """`torch.special.entr` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        result: Tensor = torch.special.entr(input)
        return result


class Ndtr(Operation):
    """`torch.special.ndtr` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        result: Tensor = torch.special.ndtr(input)
        return result


class Ndtri(Operation):
    """`torch.special.ndtri` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        result: Tensor = torch.special.ndtri(input)
        return result


class LogNdtr(Operation):
    """`torch.special.log_ndtr` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        result: Tensor = torch.special.log_ndtr(input)
        return result


class Erfcx(Operation):
    """`torch.special.erfcx` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        result: Tensor = torch.special.erfcx(input)
        return result


class Frexp(Operation):
    """`torch.frexp` as a module."""

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Map `input`, of any shape, element by element."""
        return torch.frexp(input)
