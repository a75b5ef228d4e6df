"""Fourier transforms over many dimensions and over windows in time."""

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
        return torch.fft.fftn(input, s, dim, norm)


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
        return torch.fft.ifftn(input, s, dim, norm)


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
        return torch.fft.rfftn(input, s, dim, norm)


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
        return torch.fft.irfftn(input, s, dim, norm)


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
        return torch.fft.hfftn(input, s, dim, norm)


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
        return torch.fft.ihfftn(input, s, dim, norm)


class STFT(Operation):
    """`torch.stft` as a module."""

    def __init__(
        self,
        n_fft: int = 400,
        hop_length: int | None = None,
        win_length: int | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        normalized: bool = False,
        onesided: bool | None = None,
        return_complex: bool | None = None,
        align_to_window: bool | None = None,
    ) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.center = center
        self.pad_mode = pad_mode
        self.normalized = normalized
        self.onesided = onesided
        self.return_complex = return_complex
        self.align_to_window = align_to_window

    def forward(
        self,
        input: Tensor,
        n_fft: int | None = None,
        hop_length: int | None = None,
        win_length: int | None = None,
        window: Tensor | None = None,
        center: bool | None = None,
        pad_mode: str | None = None,
        normalized: bool | None = None,
        onesided: bool | None = None,
        return_complex: bool | None = None,
        align_to_window: bool | None = None,
    ) -> Tensor:
        """Transform windows of `n_fft` steps in time."""
        n_fft = self.n_fft if n_fft is None else n_fft
        hop_length = self.hop_length if hop_length is None else hop_length
        win_length = self.win_length if win_length is None else win_length
        center = self.center if center is None else center
        pad_mode = self.pad_mode if pad_mode is None else pad_mode
        normalized = self.normalized if normalized is None else normalized
        onesided = self.onesided if onesided is None else onesided
        return_complex = self.return_complex if return_complex is None else return_complex
        align_to_window = self.align_to_window if align_to_window is None else align_to_window
        return torch.stft(
            input,
            n_fft,
            hop_length,
            win_length,
            window,
            center,
            pad_mode,
            normalized,
            onesided,
            return_complex,
            align_to_window,
        )


class ISTFT(Operation):
    """`torch.istft` as a module."""

    def __init__(
        self,
        n_fft: int = 400,
        hop_length: int | None = None,
        win_length: int | None = None,
        center: bool = True,
        normalized: bool = False,
        onesided: bool | None = None,
        length: int | None = None,
        return_complex: bool = False,
    ) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.center = center
        self.normalized = normalized
        self.onesided = onesided
        self.length = length
        self.return_complex = return_complex

    def forward(
        self,
        input: Tensor,
        n_fft: int | None = None,
        hop_length: int | None = None,
        win_length: int | None = None,
        window: Tensor | None = None,
        center: bool | None = None,
        normalized: bool | None = None,
        onesided: bool | None = None,
        length: int | None = None,
        return_complex: bool | None = None,
    ) -> Tensor:
        """Transform windows of `n_fft` steps in time."""
        n_fft = self.n_fft if n_fft is None else n_fft
        hop_length = self.hop_length if hop_length is None else hop_length
        win_length = self.win_length if win_length is None else win_length
        center = self.center if center is None else center
        normalized = self.normalized if normalized is None else normalized
        onesided = self.onesided if onesided is None else onesided
        length = self.length if length is None else length
        return_complex = self.return_complex if return_complex is None else return_complex
        return torch.istft(
            input, n_fft, hop_length, win_length, window, center, normalized, onesided, length, return_complex
        )
