"""Power-average pooling with its window at call time."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation, sizes


class FunctionalLPPool1d(Operation):
    """`torch.nn.functional.lp_pool1d` as a module."""

    def __init__(
        self, norm_type: float = 2.0, kernel_size: int = 1, stride: int | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        norm_type: float | None = None,
        kernel_size: int | None = None,
        stride: int | None = None,
        ceil_mode: bool | None = None,
    ) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        norm_type = self.norm_type if norm_type is None else norm_type
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        return functional.lp_pool1d(input, norm_type, kernel_size, stride, ceil_mode)


class FunctionalLPPool2d(Operation):
    """`torch.nn.functional.lp_pool2d` as a module."""

    def __init__(
        self,
        norm_type: float = 2.0,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = sizes(kernel_size, 2)
        self.stride = sizes(stride, 2)
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        norm_type: float | None = None,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        ceil_mode: bool | None = None,
    ) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        norm_type = self.norm_type if norm_type is None else norm_type
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        return functional.lp_pool2d(input, norm_type, kernel_size, stride, ceil_mode)  # type: ignore[arg-type]


class FunctionalLPPool3d(Operation):
    """`torch.nn.functional.lp_pool3d` as a module."""

    def __init__(
        self,
        norm_type: float = 2.0,
        kernel_size: int | Sequence[int] = 1,
        stride: int | Sequence[int] | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = sizes(kernel_size, 3)
        self.stride = sizes(stride, 3)
        self.ceil_mode = ceil_mode

    def forward(
        self,
        input: Tensor,
        norm_type: float | None = None,
        kernel_size: list[int] | None = None,
        stride: list[int] | None = None,
        ceil_mode: bool | None = None,
    ) -> Tensor:
        """Pool windows of `input` (N, C, …)."""
        norm_type = self.norm_type if norm_type is None else norm_type
        kernel_size = self.kernel_size if kernel_size is None else kernel_size
        stride = self.stride if stride is None else stride
        ceil_mode = self.ceil_mode if ceil_mode is None else ceil_mode
        return functional.lp_pool3d(input, norm_type, kernel_size, stride, ceil_mode)  # type: ignore[arg-type]
