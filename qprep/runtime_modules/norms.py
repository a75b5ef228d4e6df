"""Norms of vectors and matrices, and distances."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Number, Operation, sizes


class LinalgNorm(Operation):
    """`torch.linalg.norm` as a module."""

    def __init__(
        self,
        ord: Number | str | None = None,
        dim: int | Sequence[int] | None = None,
        keepdim: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.ord = ord
        self.dim = sizes(dim)
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self,
        input: Tensor,
        ord: Number | str | None = None,
        dim: list[int] | None = None,
        keepdim: bool | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Measure over the dimensions named."""
        order = self.ord if ord is None else ord
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        dtype = self.dtype if dtype is None else dtype
        result: Tensor = torch.linalg.norm(input, order, dim, keepdim, dtype=dtype)
        return result


class VectorNorm(Operation):
    """`torch.linalg.vector_norm` as a module."""

    def __init__(
        self,
        ord: Number = 2,
        dim: int | Sequence[int] | None = None,
        keepdim: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.ord = ord
        self.dim = sizes(dim)
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self,
        x: Tensor,
        ord: Number | None = None,
        dim: list[int] | None = None,
        keepdim: bool | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Measure over the dimensions named."""
        order = self.ord if ord is None else ord
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        dtype = self.dtype if dtype is None else dtype
        result: Tensor = torch.linalg.vector_norm(x, order, dim, keepdim, dtype=dtype)
        return result


class MatrixNorm(Operation):
    """`torch.linalg.matrix_norm` as a module."""

    def __init__(
        self,
        ord: Number | str = "fro",
        dim: int | Sequence[int] = (-2, -1),
        keepdim: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.ord = ord
        self.dim = sizes(dim)
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self,
        input: Tensor,
        ord: Number | str | None = None,
        dim: list[int] | None = None,
        keepdim: bool | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Measure over the dimensions named."""
        order = self.ord if ord is None else ord
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        dtype = self.dtype if dtype is None else dtype
        result: Tensor = torch.linalg.matrix_norm(input, order, dim, keepdim, dtype=dtype)
        return result


class Dist(Operation):
    """`torch.dist` as a module."""

    def __init__(self, p: Number = 2) -> None:
        super().__init__()
        self.p = p

    def forward(self, input: Tensor, other: Tensor, p: Number | None = None) -> Tensor:
        """Measure over the dimensions named."""
        return torch.dist(input, other, self.p if p is None else p)


class CDist(Operation):
    """`torch.cdist` as a module."""

    def __init__(self, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> None:
        super().__init__()
        self.p = p
        self.compute_mode = compute_mode

    def forward(self, x1: Tensor, x2: Tensor, p: float | None = None, compute_mode: str | None = None) -> Tensor:
        """Measure over the dimensions named."""
        p = self.p if p is None else p
        compute_mode = self.compute_mode if compute_mode is None else compute_mode
        result: Tensor = torch.cdist(x1, x2, p, compute_mode)
        return result


class Renorm(Operation):
    """`torch.renorm` as a module; on `input` itself where `inplace`."""

    def __init__(self, p: Number = 2, dim: int = -1, maxnorm: Number = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.dim = dim
        self.maxnorm = maxnorm
        self.inplace = inplace

    def forward(
        self, input: Tensor, p: Number | None = None, dim: int | None = None, maxnorm: Number | None = None
    ) -> Tensor:
        """Measure over the dimensions named."""
        p = self.p if p is None else p
        dim = self.dim if dim is None else dim
        maxnorm = self.maxnorm if maxnorm is None else maxnorm
        if self.inplace:
            return input.renorm_(p, dim, maxnorm)
        return torch.renorm(input, p, dim, maxnorm)


class Norm(Operation):
    """`torch.norm`."""

    def __init__(
        self,
        p: Number | str | None = "fro",
        dim: int | Sequence[int] | None = None,
        keepdim: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.p = p
        self.dim = sizes(dim)
        self.keepdim = keepdim
        self.dtype = dtype

    def forward(
        self,
        input: Tensor,
        p: Number | str | None = None,
        dim: list[int] | None = None,
        keepdim: bool | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Measure over the dimensions named, or over all."""
        p = self.p if p is None else p
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        result: Tensor = torch.norm(input, p, dim, keepdim, dtype=self.dtype if dtype is None else dtype)
        return result
