"""Adaptive maximum pooling with its output size at call time."""

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
            return functional.adaptive_max_pool2d_with_indices(input, output_size)  # type: ignore[arg-type]
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
            return functional.adaptive_max_pool3d_with_indices(input, output_size)  # type: ignore[arg-type]
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
            input,
            self.output_size if output_size is None else output_size,  # type: ignore[arg-type]
        )


class AdaptiveMaxPool3dWithIndices(Operation):
    """`torch.nn.functional.adaptive_max_pool3d_with_indices` as a module."""

    def __init__(self, output_size: int | Sequence[int] = 1) -> None:
        super().__init__()
        self.output_size = sizes(output_size, 3)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        return functional.adaptive_max_pool3d_with_indices(
            input,
            self.output_size if output_size is None else output_size,  # type: ignore[arg-type]
        )
