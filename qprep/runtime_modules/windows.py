# ruff: noqa: PLR0917 -- parameters are torch's own
"""Fourier transforms of windows in time."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


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
