"""Operations that run along one dimension and keep it."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Number, Operation


class CumSum(Operation):
    """`torch.cumsum` as a module; on `input` itself where `inplace`."""

    def __init__(self, dim: int = -1, dtype: torch.dtype | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.dtype = dtype
        self.inplace = inplace

    def forward(self, input: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Run along `dim` of `input`."""
        dim = self.dim if dim is None else dim
        dtype = self.dtype if dtype is None else dtype
        if self.inplace:
            return input.cumsum_(dim, dtype=dtype)
        return torch.cumsum(input, dim, dtype=dtype)


class CumProd(Operation):
    """`torch.cumprod` as a module; on `input` itself where `inplace`."""

    def __init__(self, dim: int = -1, dtype: torch.dtype | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.dtype = dtype
        self.inplace = inplace

    def forward(self, input: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Run along `dim` of `input`."""
        dim = self.dim if dim is None else dim
        dtype = self.dtype if dtype is None else dtype
        if self.inplace:
            return input.cumprod_(dim, dtype=dtype)
        return torch.cumprod(input, dim, dtype=dtype)


class CumMax(Operation):
    """`torch.cummax` as a module."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor, dim: int | None = None) -> tuple[Tensor, Tensor]:
        """Run along `dim` of `input`."""
        return torch.cummax(input, self.dim if dim is None else dim)


class CumMin(Operation):
    """`torch.cummin` as a module."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor, dim: int | None = None) -> tuple[Tensor, Tensor]:
        """Run along `dim` of `input`."""
        return torch.cummin(input, self.dim if dim is None else dim)


class LogCumSumExp(Operation):
    """`torch.logcumsumexp` as a module."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor, dim: int | None = None) -> Tensor:
        """Run along `dim` of `input`."""
        return torch.logcumsumexp(input, self.dim if dim is None else dim)


class Diff(Operation):
    """`torch.diff` as a module."""

    def __init__(self, n: int = 1, dim: int = -1) -> None:
        super().__init__()
        self.n = n
        self.dim = dim

    def forward(
        self,
        input: Tensor,
        n: int | None = None,
        dim: int | None = None,
        prepend: Tensor | None = None,
        append: Tensor | None = None,
    ) -> Tensor:
        """Run along `dim` of `input`."""
        n = self.n if n is None else n
        dim = self.dim if dim is None else dim
        return torch.diff(input, n, dim, prepend, append)


class Trapezoid(Operation):
    """`torch.trapezoid`: with the points `x`, or their distance `dx`."""

    def __init__(self, dx: Number | None = None, dim: int = -1) -> None:
        super().__init__()
        self.dx = dx
        self.dim = dim

    def forward(self, y: Tensor, x: Tensor | None = None, dx: Number | None = None, dim: int | None = None) -> Tensor:
        """Integrate `y` along `dim` by the trapezoidal rule."""
        dim = self.dim if dim is None else dim
        if x is not None:
            return torch.trapezoid(y, x, dim=dim)
        dx = self.dx if dx is None else dx
        return torch.trapezoid(y, dx=1 if dx is None else dx, dim=dim)


class CumulativeTrapezoid(Operation):
    """`torch.cumulative_trapezoid`: with the points `x`, or their distance `dx`."""

    def __init__(self, dx: Number | None = None, dim: int = -1) -> None:
        super().__init__()
        self.dx = dx
        self.dim = dim

    def forward(self, y: Tensor, x: Tensor | None = None, dx: Number | None = None, dim: int | None = None) -> Tensor:
        """Integrate `y` along `dim` by the trapezoidal rule."""
        dim = self.dim if dim is None else dim
        if x is not None:
            return torch.cumulative_trapezoid(y, x, dim=dim)
        dx = self.dx if dx is None else dx
        return torch.cumulative_trapezoid(y, dx=1 if dx is None else dx, dim=dim)
