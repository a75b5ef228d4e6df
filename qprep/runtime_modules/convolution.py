# ruff: noqa: PLR0917 -- parameters are torch's own
"""Convolutions that take their weights as inputs."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation, sizes


class CrossCorrelation1d(Operation):
    """`torch.nn.functional.conv1d` as a module."""

    def __init__(
        self,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.stride = sizes(stride, 1)
        self.padding = sizes(padding, 1)
        self.dilation = sizes(dilation, 1)
        self.groups = groups

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        groups: int | None = None,
    ) -> Tensor:
        """Convolve `input` (N, C_in, …) with `weight`, as the function does."""
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        groups = self.groups if groups is None else groups
        return functional.conv1d(input, weight, bias, stride, padding, dilation, groups)


class CrossCorrelation2d(Operation):
    """`torch.nn.functional.conv2d` as a module."""

    def __init__(
        self,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.stride = sizes(stride, 2)
        self.padding = sizes(padding, 2)
        self.dilation = sizes(dilation, 2)
        self.groups = groups

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        groups: int | None = None,
    ) -> Tensor:
        """Convolve `input` (N, C_in, …) with `weight`, as the function does."""
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        groups = self.groups if groups is None else groups
        return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)


class CrossCorrelation3d(Operation):
    """`torch.nn.functional.conv3d` as a module."""

    def __init__(
        self,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.stride = sizes(stride, 3)
        self.padding = sizes(padding, 3)
        self.dilation = sizes(dilation, 3)
        self.groups = groups

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        dilation: list[int] | None = None,
        groups: int | None = None,
    ) -> Tensor:
        """Convolve `input` (N, C_in, …) with `weight`, as the function does."""
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        dilation = self.dilation if dilation is None else dilation
        groups = self.groups if groups is None else groups
        return functional.conv3d(input, weight, bias, stride, padding, dilation, groups)


class TransposedCorrelation1d(Operation):
    """`torch.nn.functional.conv_transpose1d` as a module."""

    def __init__(
        self,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
    ) -> None:
        super().__init__()
        self.stride = sizes(stride, 1)
        self.padding = sizes(padding, 1)
        self.output_padding = sizes(output_padding, 1)
        self.groups = groups
        self.dilation = sizes(dilation, 1)

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        output_padding: list[int] | None = None,
        groups: int | None = None,
        dilation: list[int] | None = None,
    ) -> Tensor:
        """Convolve `input` (N, C_in, …) with `weight`, as the function does."""
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        output_padding = self.output_padding if output_padding is None else output_padding
        groups = self.groups if groups is None else groups
        dilation = self.dilation if dilation is None else dilation
        return functional.conv_transpose1d(input, weight, bias, stride, padding, output_padding, groups, dilation)


class TransposedCorrelation2d(Operation):
    """`torch.nn.functional.conv_transpose2d` as a module."""

    def __init__(
        self,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
    ) -> None:
        super().__init__()
        self.stride = sizes(stride, 2)
        self.padding = sizes(padding, 2)
        self.output_padding = sizes(output_padding, 2)
        self.groups = groups
        self.dilation = sizes(dilation, 2)

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        output_padding: list[int] | None = None,
        groups: int | None = None,
        dilation: list[int] | None = None,
    ) -> Tensor:
        """Convolve `input` (N, C_in, …) with `weight`, as the function does."""
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        output_padding = self.output_padding if output_padding is None else output_padding
        groups = self.groups if groups is None else groups
        dilation = self.dilation if dilation is None else dilation
        return functional.conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation)


class TransposedCorrelation3d(Operation):
    """`torch.nn.functional.conv_transpose3d` as a module."""

    def __init__(
        self,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
    ) -> None:
        super().__init__()
        self.stride = sizes(stride, 3)
        self.padding = sizes(padding, 3)
        self.output_padding = sizes(output_padding, 3)
        self.groups = groups
        self.dilation = sizes(dilation, 3)

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: list[int] | None = None,
        padding: list[int] | None = None,
        output_padding: list[int] | None = None,
        groups: int | None = None,
        dilation: list[int] | None = None,
    ) -> Tensor:
        """Convolve `input` (N, C_in, …) with `weight`, as the function does."""
        stride = self.stride if stride is None else stride
        padding = self.padding if padding is None else padding
        output_padding = self.output_padding if output_padding is None else output_padding
        groups = self.groups if groups is None else groups
        dilation = self.dilation if dilation is None else dilation
        return functional.conv_transpose3d(input, weight, bias, stride, padding, output_padding, groups, dilation)


class CorrelationTBC(Operation):
    """`torch.nn.functional.conv_tbc` as a module."""

    def __init__(self, pad: int = 0) -> None:
        super().__init__()
        self.pad = pad

    def forward(self, input: Tensor, weight: Tensor, bias: Tensor, pad: int | None = None) -> Tensor:
        """Convolve `input` (N, C_in, …) with `weight`, as the function does."""
        return functional.conv_tbc(input, weight, bias, self.pad if pad is None else pad)
