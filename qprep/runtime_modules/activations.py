"""Smooth and bounded activation functions with their configuration at call time."""

import torch
from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Number, Operation


class FunctionalGELU(Operation):
    """`torch.nn.functional.gelu` as a module."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor, approximate: str | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.gelu(input, approximate=self.approximate if approximate is None else approximate)


class FunctionalSiLU(Operation):
    """`torch.nn.functional.silu` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.silu(input, self.inplace if inplace is None else inplace)


class FunctionalMish(Operation):
    """`torch.nn.functional.mish` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.mish(input, self.inplace if inplace is None else inplace)


class FunctionalHardswish(Operation):
    """`torch.nn.functional.hardswish` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.hardswish(input, self.inplace if inplace is None else inplace)


class FunctionalGLU(Operation):
    """`torch.nn.functional.glu` as a module."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor, dim: int | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.glu(input, self.dim if dim is None else dim)


class FunctionalSoftplus(Operation):
    """`torch.nn.functional.softplus` as a module."""

    def __init__(self, beta: Number = 1, threshold: Number = 20) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor, beta: Number | None = None, threshold: Number | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        beta = self.beta if beta is None else beta
        threshold = self.threshold if threshold is None else threshold
        return functional.softplus(input, beta, threshold)


class FunctionalTanhshrink(Operation):
    """`torch.nn.functional.tanhshrink` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.tanhshrink(input)


class FunctionalLogSigmoid(Operation):
    """`torch.nn.functional.logsigmoid` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.logsigmoid(input)


class FunctionalSigmoid(Operation):
    """`torch.sigmoid` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.sigmoid_()
        return torch.sigmoid(input)


class FunctionalHardsigmoid(Operation):
    """`torch.nn.functional.hardsigmoid` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, inplace: bool | None = None) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.hardsigmoid(input, self.inplace if inplace is None else inplace)


class FunctionalTanh(Operation):
    """`torch.tanh` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        if self.inplace:
            return input.tanh_()
        return torch.tanh(input)


class FunctionalSoftsign(Operation):
    """`torch.nn.functional.softsign` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, of any shape, element by element."""
        return functional.softsign(input)


class FunctionalSoftmax(Operation):
    """`torch.nn.functional.softmax` as a module."""

    def __init__(self, dim: int | None = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.dim = dim
        self.dtype = dtype

    def forward(self, input: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Normalize along `dim`."""
        dim = self.dim if dim is None else dim
        dtype = self.dtype if dtype is None else dtype
        return functional.softmax(input, dim, dtype=dtype)


class FunctionalSoftmin(Operation):
    """`torch.nn.functional.softmin` as a module."""

    def __init__(self, dim: int | None = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.dim = dim
        self.dtype = dtype

    def forward(self, input: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Normalize along `dim`."""
        dim = self.dim if dim is None else dim
        dtype = self.dtype if dtype is None else dtype
        return functional.softmin(input, dim, dtype=dtype)


class FunctionalLogSoftmax(Operation):
    """`torch.nn.functional.log_softmax` as a module."""

    def __init__(self, dim: int | None = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.dim = dim
        self.dtype = dtype

    def forward(self, input: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Normalize along `dim`."""
        dim = self.dim if dim is None else dim
        dtype = self.dtype if dtype is None else dtype
        return functional.log_softmax(input, dim, dtype=dtype)


class GumbelSoftmax(Operation):
    """`torch.nn.functional.gumbel_softmax` as a module."""

    def __init__(self, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> None:
        super().__init__()
        self.tau = tau
        self.hard = hard
        self.eps = eps
        self.dim = dim

    def forward(
        self,
        logits: Tensor,
        tau: float | None = None,
        hard: bool | None = None,
        eps: float | None = None,
        dim: int | None = None,
    ) -> Tensor:
        """Normalize along `dim`."""
        tau = self.tau if tau is None else tau
        hard = self.hard if hard is None else hard
        eps = self.eps if eps is None else eps
        dim = self.dim if dim is None else dim
        return functional.gumbel_softmax(logits, tau, hard, eps, dim)
