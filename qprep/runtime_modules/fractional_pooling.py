"""Fractional maximum pooling with its output size at call time."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Number, Operation, sizes


class FunctionalFractionalMaxPool2d(Operation):
    """`torch.nn.functional.fractional_max_pool2d` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        output_size: int | Sequence[int] | None = None,
        output_ratio: Number | Sequence[float] | None = None,
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
        output_ratio: Number | list[float] | None = None,
        return_indices: bool | None = None,
        _random_samples: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        output_size = self.output_size if output_size is None else output_size
        output_ratio = self.output_ratio if output_ratio is None else output_ratio  # type: ignore[assignment]
        if self.return_indices if return_indices is None else return_indices:
            return functional.fractional_max_pool2d_with_indices(
                input,
                kernel_size,
                output_size,
                output_ratio,  # type: ignore[arg-type]
                _random_samples=_random_samples,
            )
        return functional.fractional_max_pool2d(
            input,
            kernel_size,
            output_size,
            output_ratio,  # type: ignore[arg-type]
            _random_samples=_random_samples,
        )


class FunctionalFractionalMaxPool3d(Operation):
    """`torch.nn.functional.fractional_max_pool3d` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        output_size: int | Sequence[int] | None = None,
        output_ratio: Number | Sequence[float] | None = None,
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
        output_ratio: Number | list[float] | None = None,
        return_indices: bool | None = None,
        _random_samples: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        output_size = self.output_size if output_size is None else output_size
        output_ratio = self.output_ratio if output_ratio is None else output_ratio  # type: ignore[assignment]
        if self.return_indices if return_indices is None else return_indices:
            return functional.fractional_max_pool3d_with_indices(
                input,
                kernel_size,
                output_size,
                output_ratio,  # type: ignore[arg-type]
                _random_samples=_random_samples,
            )
        return functional.fractional_max_pool3d(
            input,
            kernel_size,
            output_size,
            output_ratio,  # type: ignore[arg-type]
            _random_samples=_random_samples,
        )


class FractionalMaxPool2dWithIndices(Operation):
    """`torch.nn.functional.fractional_max_pool2d_with_indices` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        output_size: int | Sequence[int] | None = None,
        output_ratio: Number | Sequence[float] | None = None,
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
        output_ratio: Number | list[float] | None = None,
        _random_samples: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        output_size = self.output_size if output_size is None else output_size
        output_ratio = self.output_ratio if output_ratio is None else output_ratio  # type: ignore[assignment]
        return functional.fractional_max_pool2d_with_indices(
            input,
            kernel_size,
            output_size,
            output_ratio,  # type: ignore[arg-type]
            _random_samples=_random_samples,
        )


class FractionalMaxPool3dWithIndices(Operation):
    """`torch.nn.functional.fractional_max_pool3d_with_indices` as a module."""

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 1,
        output_size: int | Sequence[int] | None = None,
        output_ratio: Number | Sequence[float] | None = None,
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
        output_ratio: Number | list[float] | None = None,
        _random_samples: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pool windows of `input` (N, C, …)."""
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        output_size = self.output_size if output_size is None else output_size
        output_ratio = self.output_ratio if output_ratio is None else output_ratio  # type: ignore[assignment]
        return functional.fractional_max_pool3d_with_indices(
            input,
            kernel_size,
            output_size,
            output_ratio,  # type: ignore[arg-type]
            _random_samples=_random_samples,
        )
