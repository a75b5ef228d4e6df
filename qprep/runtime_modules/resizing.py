# ruff: noqa: PLR0917 -- parameters are torch's own
"""Padding, resampling and folding."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Number, Operation, sizes


class Pad(Operation):
    """`torch.nn.functional.pad` as a module."""

    def __init__(self, pad: int | Sequence[int] = (0, 0), mode: str = "constant", value: float | None = None) -> None:
        super().__init__()
        self.pad = sizes(pad)
        self.mode = mode
        self.value = value

    def forward(
        self, input: Tensor, pad: list[int] | None = None, mode: str | None = None, value: float | None = None
    ) -> Tensor:
        """Pad the last dimensions of `input`, from the last on."""
        pad = self.pad if pad is None else pad
        mode = self.mode if mode is None else mode
        value = self.value if value is None else value
        return functional.pad(input, pad, mode, value)


class ConstantPadNd(Operation):
    """`torch.constant_pad_nd` as a module."""

    def __init__(self, pad: int | Sequence[int] = (0, 0), value: Number = 0) -> None:
        super().__init__()
        self.pad = sizes(pad)
        self.value = value

    def forward(self, input: Tensor, pad: list[int] | None = None, value: Number | None = None) -> Tensor:
        """Pad the last dimensions of `input`, from the last on."""
        pad = self.pad if pad is None else pad
        value = self.value if value is None else value
        return torch.constant_pad_nd(input, pad, value)


class GridSample(Operation):
    """`torch.nn.functional.grid_sample` as a module."""

    def __init__(self, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None) -> None:
        super().__init__()
        self.mode = mode
        self.padding_mode = padding_mode
        self.align_corners = align_corners

    def forward(
        self,
        input: Tensor,
        grid: Tensor,
        mode: str | None = None,
        padding_mode: str | None = None,
        align_corners: bool | None = None,
    ) -> Tensor:
        """Sample `input` (N, C, …) at the places of `grid` (N, …, 2 or 3)."""
        mode = self.mode if mode is None else mode
        padding_mode = self.padding_mode if padding_mode is None else padding_mode
        align_corners = self.align_corners if align_corners is None else align_corners
        return functional.grid_sample(input, grid, mode, padding_mode, align_corners)


class AffineGrid(Operation):
    """`torch.nn.functional.affine_grid` as a module."""

    size: list[int]

    def __init__(self, size: int | Sequence[int] = (), align_corners: bool | None = None) -> None:
        super().__init__()
        self.size = sizes(size)
        self.align_corners = align_corners

    def forward(self, theta: Tensor, size: list[int] | None = None, align_corners: bool | None = None) -> Tensor:
        """Make a grid (N, …, 2 or 3) from `theta` (N, 2 or 3, 3 or 4)."""
        size = self.size if size is None else size
        align_corners = self.align_corners if align_corners is None else align_corners
        return functional.affine_grid(theta, size, align_corners)


class FunctionalFold(Operation):
    """`torch.nn.functional.fold` as a module."""

    def __init__(
        self,
        output_size: int | Sequence[int] = 1,
        kernel_size: int | Sequence[int] = 1,
        dilation: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        stride: int | Sequence[int] = 1,
    ) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 2)
        self.kernel_size = sizes(kernel_size, 2)
        self.dilation = sizes(dilation, 2)
        self.padding = sizes(padding, 2)
        self.stride = sizes(stride, 2)

    def forward(
        self,
        input: Tensor,
        output_size: list[int] | None = None,
        kernel_size: list[int] | None = None,
        dilation: list[int] | None = None,
        padding: list[int] | None = None,
        stride: list[int] | None = None,
    ) -> Tensor:
        """Sum patches (N, C * window, L) into images (N, C, …)."""
        output_size = self.output_size if output_size is None else output_size
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        dilation = self.dilation if dilation is None else dilation
        padding = self.padding if padding is None else padding
        stride = self.stride if stride is None else stride
        return functional.fold(input, output_size, kernel_size, dilation, padding, stride)  # type: ignore[arg-type]


class Interpolate(Operation):
    """`torch.nn.functional.interpolate`."""

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.size = list(size) if isinstance(size, tuple) else size
        self.scale_factor = list(scale_factor) if isinstance(scale_factor, tuple) else scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor
        self.antialias = antialias

    def forward(
        self,
        input: Tensor,
        size: list[int] | None = None,
        scale_factor: list[float] | None = None,
        mode: str | None = None,
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
        antialias: bool | None = None,
    ) -> Tensor:
        """Resample `input` (N, C, …) to `size`, or by `scale_factor`."""
        size = self.size if size is None else size  # type: ignore[assignment]
        scale_factor = self.scale_factor if scale_factor is None else scale_factor  # type: ignore[assignment]
        mode = self.mode if mode is None else mode
        align_corners = self.align_corners if align_corners is None else align_corners
        recompute = self.recompute_scale_factor if recompute_scale_factor is None else recompute_scale_factor
        antialias = self.antialias if antialias is None else antialias
        return functional.interpolate(input, size, scale_factor, mode, align_corners, recompute, antialias)


class UpsampleNearest(Operation):
    """`torch.nn.functional.upsample_nearest`: interpolate of mode "nearest"."""

    def __init__(
        self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.size = list(size) if isinstance(size, tuple) else size
        self.scale_factor = list(scale_factor) if isinstance(scale_factor, tuple) else scale_factor

    def forward(self, input: Tensor, size: list[int] | None = None, scale_factor: list[float] | None = None) -> Tensor:
        """Resample `input` (N, C, …) to `size`, or by `scale_factor`."""
        size = self.size if size is None else size  # type: ignore[assignment]
        scale_factor = self.scale_factor if scale_factor is None else scale_factor  # type: ignore[assignment]
        return functional.interpolate(input, size, scale_factor, "nearest")


class UpsampleBilinear(Operation):
    """`torch.nn.functional.upsample_bilinear`: interpolate of mode "bilinear" with aligned corners."""

    def __init__(
        self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.size = list(size) if isinstance(size, tuple) else size
        self.scale_factor = list(scale_factor) if isinstance(scale_factor, tuple) else scale_factor

    def forward(self, input: Tensor, size: list[int] | None = None, scale_factor: list[float] | None = None) -> Tensor:
        """Resample `input` (N, C, H, W) to `size`, or by `scale_factor`."""
        size = self.size if size is None else size  # type: ignore[assignment]
        scale_factor = self.scale_factor if scale_factor is None else scale_factor  # type: ignore[assignment]
        return functional.interpolate(input, size, scale_factor, "bilinear", align_corners=True)
