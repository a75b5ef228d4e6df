"""Fourier transforms over many dimensions."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation, sizes


class FFTN(Operation):
    """`torch.fft.fftn` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] | None = None, norm: str | None = None
    ) -> None:
        super().__init__()
        self.s = sizes(s)
        self.dim = sizes(dim)
        self.norm = norm

    def forward(
        self, input: Tensor, s: list[int] | None = None, dim: list[int] | None = None, norm: str | None = None
    ) -> Tensor:
        """Transform along `dim`."""
        s = self.s if s is None else s
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.fftn(input, s, dim, norm)
        return result


class IFFTN(Operation):
    """`torch.fft.ifftn` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] | None = None, norm: str | None = None
    ) -> None:
        super().__init__()
        self.s = sizes(s)
        self.dim = sizes(dim)
        self.norm = norm

    def forward(
        self, input: Tensor, s: list[int] | None = None, dim: list[int] | None = None, norm: str | None = None
    ) -> Tensor:
        """Transform along `dim`."""
        s = self.s if s is None else s
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.ifftn(input, s, dim, norm)
        return result


class RFFTN(Operation):
    """`torch.fft.rfftn` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] | None = None, norm: str | None = None
    ) -> None:
        super().__init__()
        self.s = sizes(s)
        self.dim = sizes(dim)
        self.norm = norm

    def forward(
        self, input: Tensor, s: list[int] | None = None, dim: list[int] | None = None, norm: str | None = None
    ) -> Tensor:
        """Transform along `dim`."""
        s = self.s if s is None else s
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.rfftn(input, s, dim, norm)
        return result


class IRFFTN(Operation):
    """`torch.fft.irfftn` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] | None = None, norm: str | None = None
    ) -> None:
        super().__init__()
        self.s = sizes(s)
        self.dim = sizes(dim)
        self.norm = norm

    def forward(
        self, input: Tensor, s: list[int] | None = None, dim: list[int] | None = None, norm: str | None = None
    ) -> Tensor:
        """Transform along `dim`."""
        s = self.s if s is None else s
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.irfftn(input, s, dim, norm)
        return result


class HFFTN(Operation):
    """`torch.fft.hfftn` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] | None = None, norm: str | None = None
    ) -> None:
        super().__init__()
        self.s = sizes(s)
        self.dim = sizes(dim)
        self.norm = norm

    def forward(
        self, input: Tensor, s: list[int] | None = None, dim: list[int] | None = None, norm: str | None = None
    ) -> Tensor:
        """Transform along `dim`."""
        s = self.s if s is None else s
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.hfftn(input, s, dim, norm)
        return result


class IHFFTN(Operation):
    """`torch.fft.ihfftn` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] | None = None, norm: str | None = None
    ) -> None:
        super().__init__()
        self.s = sizes(s)
        self.dim = sizes(dim)
        self.norm = norm

    def forward(
        self, input: Tensor, s: list[int] | None = None, dim: list[int] | None = None, norm: str | None = None
    ) -> Tensor:
        """Transform along `dim`."""
        s = self.s if s is None else s
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.ihfftn(input, s, dim, norm)
        return result
