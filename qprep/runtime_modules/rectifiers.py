"""Piecewise linear and exponential activation functions with their configuration at call time."""

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation


class FunctionalReLU(Operation):
    """`torch.nn.functional.relu` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.relu(input, self.inplace if inplace is None else inplace)


class FunctionalReLU6(Operation):
    """`torch.nn.functional.relu6` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.relu6(input, self.inplace if inplace is None else inplace)


class FunctionalELU(Operation):
    """`torch.nn.functional.elu` as a module; on `input` itself where `inplace`."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor, alpha: float | None = None, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        alpha = self.alpha if alpha is None else alpha
        inplace = self.inplace if inplace is None else inplace
        return functional.elu(input, alpha, inplace)


class FunctionalCELU(Operation):
    """`torch.nn.functional.celu` as a module; on `input` itself where `inplace`."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor, alpha: float | None = None, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        alpha = self.alpha if alpha is None else alpha
        inplace = self.inplace if inplace is None else inplace
        return functional.celu(input, alpha, inplace)


class FunctionalSELU(Operation):
    """`torch.nn.functional.selu` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.selu(input, self.inplace if inplace is None else inplace)


class FunctionalLeakyReLU(Operation):
    """`torch.nn.functional.leaky_relu` as a module; on `input` itself where `inplace`."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor, negative_slope: float | None = None, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        negative_slope = self.negative_slope if negative_slope is None else negative_slope
        inplace = self.inplace if inplace is None else inplace
        return functional.leaky_relu(input, negative_slope, inplace)


class SlopedRectifier(Operation):
    """`torch.nn.functional.prelu` as a module."""

    def forward(self, input: Tensor, weight: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.prelu(input, weight)


class FunctionalRReLU(Operation):
    """`torch.nn.functional.rrelu` as a module; on `input` itself where `inplace`."""

    def __init__(
        self, lower: float = 0.125, upper: float = 0.3333333333333333, training: bool = False, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.active = training
        self.inplace = inplace

    def forward(
        self,
        input: Tensor,
        lower: float | None = None,
        upper: float | None = None,
        training: bool | None = None,
        inplace: bool | None = None,
    ) -> Tensor:
        """Map `input`, of any shape, element by element."""
        lower = self.lower if lower is None else lower
        upper = self.upper if upper is None else upper
        training = self.active if training is None else training
        inplace = self.inplace if inplace is None else inplace
        return functional.rrelu(input, lower, upper, training, inplace)


class FunctionalThreshold(Operation):
    """`torch.nn.functional.threshold` as a module; on `input` itself where `inplace`."""

    def __init__(self, threshold: float = 0.0, value: float = 0.0, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(
        self, input: Tensor, threshold: float | None = None, value: float | None = None, inplace: bool | None = None
    ) -> Tensor:
        """Map `input`, of any shape, element by element."""
        threshold = self.threshold if threshold is None else threshold
        value = self.value if value is None else value
        inplace = self.inplace if inplace is None else inplace
        return functional.threshold(input, threshold, value, inplace)


class FunctionalHardtanh(Operation):
    """`torch.nn.functional.hardtanh` as a module; on `input` itself where `inplace`."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(
        self, input: Tensor, min_val: float | None = None, max_val: float | None = None, inplace: bool | None = None
    ) -> Tensor:
        """Map `input`, of any shape, element by element."""
        min_val = self.min_val if min_val is None else min_val
        max_val = self.max_val if max_val is None else max_val
        inplace = self.inplace if inplace is None else inplace
        return functional.hardtanh(input, min_val, max_val, inplace)


class FunctionalHardshrink(Operation):
    """`torch.nn.functional.hardshrink` as a module."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor, lambd: float | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.hardshrink(input, self.lambd if lambd is None else lambd)


class FunctionalSoftshrink(Operation):
    """`torch.nn.functional.softshrink` as a module."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor, lambd: float | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.softshrink(input, self.lambd if lambd is None else lambd)
