"""Variances, standard deviations and covariances."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Number, Operation, sizes


class CorrCoef(Operation):
    """`torch.corrcoef` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Correlate the rows of `input`."""
        return torch.corrcoef(input)


class _Deviation(Operation):
    """`correction`, or the older `unbiased`, which may also stand alone in the place of `dim`."""

    def __init__(
        self,
        dim: int | Sequence[int] | None = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        correction: Number | None = None,
    ) -> None:
        super().__init__()
        self.dim = None if isinstance(dim, bool) else sizes(dim)
        self.unbiased = dim if isinstance(dim, bool) else unbiased
        self.keepdim = keepdim
        self.correction = correction


class Std(_Deviation):
    """`torch.std`."""

    def forward(
        self,
        input: Tensor,
        dim: list[int] | None = None,
        unbiased: bool | None = None,
        keepdim: bool | None = None,
        correction: Number | None = None,
    ) -> Tensor:
        """Reduce `input` over the dimensions named, or over all."""
        if isinstance(dim, bool):
            dim, unbiased = None, dim  # type: ignore[unreachable]
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        unbiased = self.unbiased if unbiased is None else unbiased
        correction = self.correction if correction is None else correction
        if correction is None and unbiased is not None:
            correction = int(unbiased)
        return torch.std(input, dim, correction=correction, keepdim=keepdim)


class Var(_Deviation):
    """`torch.var`."""

    def forward(
        self,
        input: Tensor,
        dim: list[int] | None = None,
        unbiased: bool | None = None,
        keepdim: bool | None = None,
        correction: Number | None = None,
    ) -> Tensor:
        """Reduce `input` over the dimensions named, or over all."""
        if isinstance(dim, bool):
            dim, unbiased = None, dim  # type: ignore[unreachable]
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        unbiased = self.unbiased if unbiased is None else unbiased
        correction = self.correction if correction is None else correction
        if correction is None and unbiased is not None:
            correction = int(unbiased)
        return torch.var(input, dim, correction=correction, keepdim=keepdim)


class StdMean(_Deviation):
    """`torch.std_mean`."""

    def forward(
        self,
        input: Tensor,
        dim: list[int] | None = None,
        unbiased: bool | None = None,
        keepdim: bool | None = None,
        correction: Number | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Reduce `input` over the dimensions named, or over all."""
        if isinstance(dim, bool):
            dim, unbiased = None, dim  # type: ignore[unreachable]
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        unbiased = self.unbiased if unbiased is None else unbiased
        correction = self.correction if correction is None else correction
        if correction is None and unbiased is not None:
            correction = int(unbiased)
        return torch.std_mean(input, dim, correction=correction, keepdim=keepdim)


class VarMean(_Deviation):
    """`torch.var_mean`."""

    def forward(
        self,
        input: Tensor,
        dim: list[int] | None = None,
        unbiased: bool | None = None,
        keepdim: bool | None = None,
        correction: Number | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Reduce `input` over the dimensions named, or over all."""
        if isinstance(dim, bool):
            dim, unbiased = None, dim  # type: ignore[unreachable]
        dim = self.dim if dim is None else dim
        keepdim = self.keepdim if keepdim is None else keepdim
        unbiased = self.unbiased if unbiased is None else unbiased
        correction = self.correction if correction is None else correction
        if correction is None and unbiased is not None:
            correction = int(unbiased)
        return torch.var_mean(input, dim, correction=correction, keepdim=keepdim)


class Cov(Operation):
    """`torch.cov`."""

    def __init__(self, correction: int = 1) -> None:
        super().__init__()
        self.correction = correction

    def forward(
        self,
        input: Tensor,
        correction: int | None = None,
        fweights: Tensor | None = None,
        aweights: Tensor | None = None,
    ) -> Tensor:
        """Covariance of the rows of `input`."""
        correction = self.correction if correction is None else correction
        return torch.cov(input, correction=correction, fweights=fweights, aweights=aweights)
