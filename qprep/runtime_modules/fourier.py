"""Fourier transforms."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation, sizes


class FFT(Operation):
    """`torch.fft.fft` as a module."""

    def __init__(self, n: int | None = None, dim: int = -1, norm: str | None = None) -> None:
        super().__init__()
        self.n = n
        self.dim = dim
        self.norm = norm

    def forward(self, input: Tensor, n: int | None = None, dim: int | None = None, norm: str | None = None) -> Tensor:
        """Transform along `dim`."""
        n = self.n if n is None else n
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.fft(input, n, dim, norm)
        return result


class IFFT(Operation):
    """`torch.fft.ifft` as a module."""

    def __init__(self, n: int | None = None, dim: int = -1, norm: str | None = None) -> None:
        super().__init__()
        self.n = n
        self.dim = dim
        self.norm = norm

    def forward(self, input: Tensor, n: int | None = None, dim: int | None = None, norm: str | None = None) -> Tensor:
        """Transform along `dim`."""
        n = self.n if n is None else n
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.ifft(input, n, dim, norm)
        return result


class RFFT(Operation):
    """`torch.fft.rfft` as a module."""

    def __init__(self, n: int | None = None, dim: int = -1, norm: str | None = None) -> None:
        super().__init__()
        self.n = n
        self.dim = dim
        self.norm = norm

    def forward(self, input: Tensor, n: int | None = None, dim: int | None = None, norm: str | None = None) -> Tensor:
        """Transform along `dim`."""
        n = self.n if n is None else n
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.rfft(input, n, dim, norm)
        return result


class IRFFT(Operation):
    """`torch.fft.irfft` as a module."""

    def __init__(self, n: int | None = None, dim: int = -1, norm: str | None = None) -> None:
        super().__init__()
        self.n = n
        self.dim = dim
        self.norm = norm

    def forward(self, input: Tensor, n: int | None = None, dim: int | None = None, norm: str | None = None) -> Tensor:
        """Transform along `dim`."""
        n = self.n if n is None else n
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.irfft(input, n, dim, norm)
        return result


class HFFT(Operation):
    """`torch.fft.hfft` as a module."""

    def __init__(self, n: int | None = None, dim: int = -1, norm: str | None = None) -> None:
        super().__init__()
        self.n = n
        self.dim = dim
        self.norm = norm

    def forward(self, input: Tensor, n: int | None = None, dim: int | None = None, norm: str | None = None) -> Tensor:
        """Transform along `dim`."""
        n = self.n if n is None else n
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.hfft(input, n, dim, norm)
        return result


class IHFFT(Operation):
    """`torch.fft.ihfft` as a module."""

    def __init__(self, n: int | None = None, dim: int = -1, norm: str | None = None) -> None:
        super().__init__()
        self.n = n
        self.dim = dim
        self.norm = norm

    def forward(self, input: Tensor, n: int | None = None, dim: int | None = None, norm: str | None = None) -> Tensor:
        """Transform along `dim`."""
        n = self.n if n is None else n
        dim = self.dim if dim is None else dim
        norm = self.norm if norm is None else norm
        result: Tensor = torch.fft.ihfft(input, n, dim, norm)
        return result


class FFT2(Operation):
    """`torch.fft.fft2` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] = (-2, -1), norm: str | None = None
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
        result: Tensor = torch.fft.fft2(input, s, dim, norm)
        return result


class IFFT2(Operation):
    """`torch.fft.ifft2` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] = (-2, -1), norm: str | None = None
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
        result: Tensor = torch.fft.ifft2(input, s, dim, norm)
        return result


class RFFT2(Operation):
    """`torch.fft.rfft2` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] = (-2, -1), norm: str | None = None
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
        result: Tensor = torch.fft.rfft2(input, s, dim, norm)
        return result


class IRFFT2(Operation):
    """`torch.fft.irfft2` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] = (-2, -1), norm: str | None = None
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
        result: Tensor = torch.fft.irfft2(input, s, dim, norm)
        return result


class HFFT2(Operation):
    """`torch.fft.hfft2` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] = (-2, -1), norm: str | None = None
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
        result: Tensor = torch.fft.hfft2(input, s, dim, norm)
        return result


class IHFFT2(Operation):
    """`torch.fft.ihfft2` as a module."""

    def __init__(
        self, s: int | Sequence[int] | None = None, dim: int | Sequence[int] = (-2, -1), norm: str | None = None
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
        result: Tensor = torch.fft.ihfft2(input, s, dim, norm)
        return result
