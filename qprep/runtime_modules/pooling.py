# ruff: noqa: PLR0917 -- parameters are torch's own
"""Average pooling with its window at call time."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation, sizes


class FunctionalAvgPool1d(Operation):
    """`torch.nn.functional.avg_pool1d` as a module."""

    stride: list[int]

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 1)
        self.stride = [] if stride is None else sizes(stride, 1)
        self.padding = sizes(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        ceil_mode: bool | None = None,
        count_include_pad: bool | None = None,
    ) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        count_include_pad = self.count_include_pad if count_include_pad is None else count_include_pad
        return functional.avg_pool1d(input, kernel_size, stride, padding, ceil_mode, count_include_pad)


class FunctionalAvgPool2d(Operation):
    """`torch.nn.functional.avg_pool2d` as a module."""

    stride: list[int]

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 2)
        self.stride = [] if stride is None else sizes(stride, 2)
        self.padding = sizes(padding, 2)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        ceil_mode: bool | None = None,
        count_include_pad: bool | None = None,
        divisor_override: int | None = None,
    ) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        count_include_pad = self.count_include_pad if count_include_pad is None else count_include_pad
        divisor_override = self.divisor_override if divisor_override is None else divisor_override
        return functional.avg_pool2d(
            input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )


class FunctionalAvgPool3d(Operation):
    """`torch.nn.functional.avg_pool3d` as a module."""

    stride: list[int]

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 3)
        self.stride = [] if stride is None else sizes(stride, 3)
        self.padding = sizes(padding, 3)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        ceil_mode: bool | None = None,
        count_include_pad: bool | None = None,
        divisor_override: int | None = None,
    ) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        count_include_pad = self.count_include_pad if count_include_pad is None else count_include_pad
        divisor_override = self.divisor_override if divisor_override is None else divisor_override
        return functional.avg_pool3d(
            input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )


class FunctionalAdaptiveAvgPool1d(Operation):
    """`torch.nn.functional.adaptive_avg_pool1d` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        return functional.adaptive_avg_pool1d(input, self.output_size if output_size is None else output_size)


class FunctionalAdaptiveAvgPool2d(Operation):
    """`torch.nn.functional.adaptive_avg_pool2d` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        return functional.adaptive_avg_pool2d(input, self.output_size if output_size is None else output_size)  # type: ignore[arg-type]


class FunctionalAdaptiveAvgPool3d(Operation):
    """`torch.nn.functional.adaptive_avg_pool3d` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 3)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        return functional.adaptive_avg_pool3d(input, self.output_size if output_size is None else output_size)  # type: ignore[arg-type]
