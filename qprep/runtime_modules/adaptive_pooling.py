"""Adaptive and fractional maximum pooling with its output size at call time."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation, sizes


class FunctionalAdaptiveMaxPool1d(Operation):
    """`torch.nn.functional.adaptive_max_pool1d` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 1)
        self.return_indices = return_indices

    def forward(
        self, input: Tensor, output_size: list[int] | None = None, return_indices: bool | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        output_size = self.output_size if output_size is None else output_size
        if self.return_indices if return_indices is None else return_indices:
            return functional.adaptive_max_pool1d_with_indices(input, output_size)
        return functional.adaptive_max_pool1d(input, output_size)


class FunctionalAdaptiveMaxPool2d(Operation):
    """`torch.nn.functional.adaptive_max_pool2d` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 2)
        self.return_indices = return_indices

    def forward(
        self, input: Tensor, output_size: list[int] | None = None, return_indices: bool | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        output_size = self.output_size if output_size is None else output_size
        if self.return_indices if return_indices is None else return_indices:
            return functional.adaptive_max_pool2d_with_indices(input, output_size)
        return functional.adaptive_max_pool2d(input, output_size)


class FunctionalAdaptiveMaxPool3d(Operation):
    """`torch.nn.functional.adaptive_max_pool3d` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 3)
        self.return_indices = return_indices

    def forward(
        self, input: Tensor, output_size: list[int] | None = None, return_indices: bool | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        output_size = self.output_size if output_size is None else output_size
        if self.return_indices if return_indices is None else return_indices:
            return functional.adaptive_max_pool3d_with_indices(input, output_size)
        return functional.adaptive_max_pool3d(input, output_size)


class AdaptiveMaxPool1dWithIndices(Operation):
    """`torch.nn.functional.adaptive_max_pool1d_with_indices` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        return functional.adaptive_max_pool1d_with_indices(
            input, self.output_size if output_size is None else output_size
        )


class AdaptiveMaxPool2dWithIndices(Operation):
    """`torch.nn.functional.adaptive_max_pool2d_with_indices` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        return functional.adaptive_max_pool2d_with_indices(
            input, self.output_size if output_size is None else output_size
        )


class AdaptiveMaxPool3dWithIndices(Operation):
    """`torch.nn.functional.adaptive_max_pool3d_with_indices` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 3)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        return functional.adaptive_max_pool3d_with_indices(
            input, self.output_size if output_size is None else output_size
        )


class FunctionalFractionalMaxPool2d(Operation):
    """`torch.nn.functional.fractional_max_pool2d` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        output_size: int | Sequence[int] | None = None,
        output_ratio: int | float | Sequence[float] | None = None,
        return_indices: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 2)
        self.output_size = sizes(output_size, 2)
        self.output_ratio = output_ratio
        self.return_indices = return_indices

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        output_size: list[int] | None = None,
        output_ratio: int | float | list[float] | None = None,
        return_indices: bool | None = None,
        _random_samples: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        output_size = self.output_size if output_size is None else output_size
        output_ratio = self.output_ratio if output_ratio is None else output_ratio
        if self.return_indices if return_indices is None else return_indices:
            return functional.fractional_max_pool2d_with_indices(
                input, kernel_size, output_size, output_ratio, _random_samples
            )
        return functional.fractional_max_pool2d(input, kernel_size, output_size, output_ratio, _random_samples)


class FunctionalFractionalMaxPool3d(Operation):
    """`torch.nn.functional.fractional_max_pool3d` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        output_size: int | Sequence[int] | None = None,
        output_ratio: int | float | Sequence[float] | None = None,
        return_indices: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 3)
        self.output_size = sizes(output_size, 3)
        self.output_ratio = output_ratio
        self.return_indices = return_indices

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        output_size: list[int] | None = None,
        output_ratio: int | float | list[float] | None = None,
        return_indices: bool | None = None,
        _random_samples: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        output_size = self.output_size if output_size is None else output_size
        output_ratio = self.output_ratio if output_ratio is None else output_ratio
        if self.return_indices if return_indices is None else return_indices:
            return functional.fractional_max_pool3d_with_indices(
                input, kernel_size, output_size, output_ratio, _random_samples
            )
        return functional.fractional_max_pool3d(input, kernel_size, output_size, output_ratio, _random_samples)


class FractionalMaxPool2dWithIndices(Operation):
    """`torch.nn.functional.fractional_max_pool2d_with_indices` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        output_size: int | Sequence[int] | None = None,
        output_ratio: int | float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 2)
        self.output_size = sizes(output_size, 2)
        self.output_ratio = output_ratio

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        output_size: list[int] | None = None,
        output_ratio: int | float | list[float] | None = None,
        _random_samples: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        output_size = self.output_size if output_size is None else output_size
        output_ratio = self.output_ratio if output_ratio is None else output_ratio
        return functional.fractional_max_pool2d_with_indices(
            input, kernel_size, output_size, output_ratio, _random_samples=_random_samples
        )


class FractionalMaxPool3dWithIndices(Operation):
    """`torch.nn.functional.fractional_max_pool3d_with_indices` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        output_size: int | Sequence[int] | None = None,
        output_ratio: int | float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 3)
        self.output_size = sizes(output_size, 3)
        self.output_ratio = output_ratio

    def forward(
        self,
        input: Tensor,
        kernel_size: list[int] | None = None,
        output_size: list[int] | None = None,
        output_ratio: int | float | list[float] | None = None,
        _random_samples: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        output_size = self.output_size if output_size is None else output_size
        output_ratio = self.output_ratio if output_ratio is None else output_ratio
        return functional.fractional_max_pool3d_with_indices(
            input, kernel_size, output_size, output_ratio, _random_samples=_random_samples
        )
