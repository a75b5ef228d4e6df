# ruff: noqa: PLR0917 -- parameters are torch's own
"""Maximum pooling with its window at call time."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation, sizes


class FunctionalMaxPool1d(Operation):
    """`torch.nn.functional.max_pool1d` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 1)
        self.stride = sizes(stride, 1)
        self.padding = sizes(padding, 1)
        self.dilation = sizes(dilation, 1)
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        ceil_mode: bool | None = None,
        return_indices: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        if self.return_indices if return_indices is None else return_indices:
            return functional.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
        return functional.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)


class FunctionalMaxPool2d(Operation):
    """`torch.nn.functional.max_pool2d` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 2)
        self.stride = sizes(stride, 2)
        self.padding = sizes(padding, 2)
        self.dilation = sizes(dilation, 2)
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        ceil_mode: bool | None = None,
        return_indices: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        if self.return_indices if return_indices is None else return_indices:
            return functional.max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
        return functional.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


class FunctionalMaxPool3d(Operation):
    """`torch.nn.functional.max_pool3d` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 3)
        self.stride = sizes(stride, 3)
        self.padding = sizes(padding, 3)
        self.dilation = sizes(dilation, 3)
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        ceil_mode: bool | None = None,
        return_indices: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        if self.return_indices if return_indices is None else return_indices:
            return functional.max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
        return functional.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)


class MaxPool1dWithIndices(Operation):
    """`torch.nn.functional.max_pool1d_with_indices` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 1)
        self.stride = sizes(stride, 1)
        self.padding = sizes(padding, 1)
        self.dilation = sizes(dilation, 1)
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        ceil_mode: bool | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        return functional.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


class MaxPool2dWithIndices(Operation):
    """`torch.nn.functional.max_pool2d_with_indices` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 2)
        self.stride = sizes(stride, 2)
        self.padding = sizes(padding, 2)
        self.dilation = sizes(dilation, 2)
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        ceil_mode: bool | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        return functional.max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


class MaxPool3dWithIndices(Operation):
    """`torch.nn.functional.max_pool3d_with_indices` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 3)
        self.stride = sizes(stride, 3)
        self.padding = sizes(padding, 3)
        self.dilation = sizes(dilation, 3)
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        ceil_mode: bool | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        return functional.max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
