"""Sums, means and other reductions."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation, sizes


class Sum(Operation):
    """`torch.sum` as a module."""

    def __init__(
        self, dim: int | Sequence[int] | None = None, keepdim: bool = False, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.dim = sizes(dim)
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self, input: Tensor, dim: list[int] | None = None, keepdim: bool | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Reduce `input` over the dimensions named."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        dtype = self.dtype if dtype is None else dtype
        return torch.sum(input, dim, keepdim, dtype=dtype)


class Mean(Operation):
    """`torch.mean` as a module."""

    def __init__(
        self, dim: int | Sequence[int] | None = None, keepdim: bool = False, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.dim = sizes(dim)
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self, input: Tensor, dim: list[int] | None = None, keepdim: bool | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Reduce `input` over the dimensions named."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        dtype = self.dtype if dtype is None else dtype
        return torch.mean(input, dim, keepdim, dtype=dtype)


class NanSum(Operation):
    """`torch.nansum` as a module."""

    def __init__(
        self, dim: int | Sequence[int] | None = None, keepdim: bool = False, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.dim = sizes(dim)
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self, input: Tensor, dim: list[int] | None = None, keepdim: bool | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Reduce `input` over the dimensions named."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        dtype = self.dtype if dtype is None else dtype
        return torch.nansum(input, dim, keepdim, dtype=dtype)


class NanMean(Operation):
    """`torch.nanmean` as a module."""

    def __init__(
        self, dim: int | Sequence[int] | None = None, keepdim: bool = False, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.dim = sizes(dim)
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self, input: Tensor, dim: list[int] | None = None, keepdim: bool | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Reduce `input` over the dimensions named."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        dtype = self.dtype if dtype is None else dtype
        return torch.nanmean(input, dim, keepdim, dtype=dtype)


class AMax(Operation):
    """`torch.amax` as a module."""

    dim: list[int]

    def __init__(self, dim: int | Sequence[int] = (), keepdim: bool = False) -> None:
        super().__init__()
        self.dim = sizes(dim)
        self.keepdim = keepdim

    def forward(self, input: Tensor, dim: list[int] | None = None, keepdim: bool | None = None) -> Tensor:
        """Reduce `input` over the dimensions named."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        return torch.amax(input, dim, keepdim)


class AMin(Operation):
    """`torch.amin` as a module."""

    dim: list[int]

    def __init__(self, dim: int | Sequence[int] = (), keepdim: bool = False) -> None:
        super().__init__()
        self.dim = sizes(dim)
        self.keepdim = keepdim

    def forward(self, input: Tensor, dim: list[int] | None = None, keepdim: bool | None = None) -> Tensor:
        """Reduce `input` over the dimensions named."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        return torch.amin(input, dim, keepdim)


class AMinMax(Operation):
    """`torch.aminmax` as a module."""

    def __init__(self, dim: int | None = None, keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(self, input: Tensor, dim: int | None = None, keepdim: bool | None = None) -> tuple[Tensor, Tensor]:
        """Reduce `input` over the dimensions named."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        return torch.aminmax(input, dim=dim, keepdim=keepdim)


class LogSumExp(Operation):
    """`torch.logsumexp` as a module."""

    dim: list[int]

    def __init__(self, dim: int | Sequence[int] = (), keepdim: bool = False) -> None:
        super().__init__()
        self.dim = sizes(dim)
        self.keepdim = keepdim

    def forward(self, input: Tensor, dim: list[int] | None = None, keepdim: bool | None = None) -> Tensor:
        """Reduce `input` over the dimensions named."""
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        return torch.logsumexp(input, dim, keepdim)


class Trace(Operation):
    """`torch.trace` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Reduce `input` over the dimensions named."""
        return torch.trace(input)


class Prod(Operation):
    """`torch.prod` over one dimension, or over all."""

    def __init__(self, dim: int | None = None, keepdim: bool = False, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self, input: Tensor, dim: int | None = None, keepdim: bool | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Reduce `input` over the dimension named, or over all."""
        dim = self.dim if dim is None else dim
        dtype = self.dtype if dtype is None else dtype
        if dim is None:
            return torch.prod(input, dtype=dtype)
        return torch.prod(input, dim, self.keepdim if keepdim is None else keepdim, dtype=dtype)


class SumToSize(Operation):
    """`Tensor.sum_to_size`."""

    def forward(self, input: Tensor, *size: int | Sequence[int]) -> Tensor:
        """Sum `input` down to `size`, to which it must be broadcastable."""
        return input.sum_to_size(*size)  # type: ignore[arg-type]
