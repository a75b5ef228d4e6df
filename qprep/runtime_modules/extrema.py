"""Largest, smallest and middle elements."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Mode(Operation):
    """`torch.mode` as a module."""

    def __init__(self, dim: int = -1, keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(self, input: Tensor, dim: int | None = None, keepdim: bool | None = None) -> tuple[Tensor, Tensor]:
        """Find values and indices along `dim`."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        return torch.mode(input, dim, keepdim)


class KthValue(Operation):
    """`torch.kthvalue` as a module."""

    def __init__(self, k: int = 1, dim: int = -1, keepdim: bool = False) -> None:
        super().__init__()
        self.k = k
        self.dim = dim
        self.keepdim = keepdim

    def forward(
        self, input: Tensor, k: int | None = None, dim: int | None = None, keepdim: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Find values and indices along `dim`."""
        k = self.k if k is None else k
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        return torch.kthvalue(input, k, dim, keepdim)


class Quantile(Operation):
    """`torch.quantile` as a module."""

    def __init__(
        self, q: float | Tensor = 0.5, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear"
    ) -> None:
        super().__init__()
        self.q = q
        self.dim = dim
        self.keepdim = keepdim
        self.interpolation = interpolation

    def forward(
        self,
        input: Tensor,
        q: float | Tensor | None = None,
        dim: int | None = None,
        keepdim: bool | None = None,
        interpolation: str | None = None,
    ) -> Tensor:
        """Interpolate between the elements of `input` along `dim`, or of all."""
        q = self.q if q is None else q
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        interpolation = self.interpolation if interpolation is None else interpolation
        return torch.quantile(input, q, dim, keepdim, interpolation=interpolation)


class NanQuantile(Operation):
    """`torch.nanquantile` as a module."""

    def __init__(
        self, q: float | Tensor = 0.5, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear"
    ) -> None:
        super().__init__()
        self.q = q
        self.dim = dim
        self.keepdim = keepdim
        self.interpolation = interpolation

    def forward(
        self,
        input: Tensor,
        q: float | Tensor | None = None,
        dim: int | None = None,
        keepdim: bool | None = None,
        interpolation: str | None = None,
    ) -> Tensor:
        """Interpolate between the elements of `input` along `dim`, or of all."""
        q = self.q if q is None else q
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        interpolation = self.interpolation if interpolation is None else interpolation
        return torch.nanquantile(input, q, dim, keepdim, interpolation=interpolation)


class Max(Operation):
    """`torch.max`: of all elements, (values, indices) along `dim`, or element by element of two tensors."""

    def __init__(self, dim: int | None = None, keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(
        self, input: Tensor, dim: int | Tensor | None = None, keepdim: bool | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Take the maximum of `input`; a tensor in the place of `dim` is the other operand."""
        dim = self.dim if dim is None else dim
        if dim is None:
            return torch.max(input)
        if isinstance(dim, int):
            return torch.max(input, dim, self.keepdim if keepdim is None else keepdim)
        return torch.max(input, dim)  # no test for a tensor: in a symbolic trace it is none


class Min(Operation):
    """`torch.min`: of all elements, (values, indices) along `dim`, or element by element of two tensors."""

    def __init__(self, dim: int | None = None, keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(
        self, input: Tensor, dim: int | Tensor | None = None, keepdim: bool | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Take the minimum of `input`; a tensor in the place of `dim` is the other operand."""
        dim = self.dim if dim is None else dim
        if dim is None:
            return torch.min(input)
        if isinstance(dim, int):
            return torch.min(input, dim, self.keepdim if keepdim is None else keepdim)
        return torch.min(input, dim)  # no test for a tensor: in a symbolic trace it is none


class Median(Operation):
    """`torch.median`: of all elements, (values, indices) along `dim`."""

    def __init__(self, dim: int | None = None, keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(
        self, input: Tensor, dim: int | None = None, keepdim: bool | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Take the median of `input`."""
        dim = self.dim if dim is None else dim
        if dim is None:
            return torch.median(input)
        return torch.median(input, dim, self.keepdim if keepdim is None else keepdim)


class NanMedian(Operation):
    """`torch.nanmedian`: of all elements, (values, indices) along `dim`."""

    def __init__(self, dim: int | None = None, keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(
        self, input: Tensor, dim: int | None = None, keepdim: bool | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Take the median, NaN left out, of `input`."""
        dim = self.dim if dim is None else dim
        if dim is None:
            return torch.nanmedian(input)
        return torch.nanmedian(input, dim, self.keepdim if keepdim is None else keepdim)
