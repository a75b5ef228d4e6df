"""Products and interpolations with their addition fused."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Number, Operation


class Addcmul(Operation):
    """`torch.addcmul` as a module; on `input` itself where `inplace`."""

    def __init__(self, value: Number = 1, inplace: bool = False) -> None:
        super().__init__()
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor, tensor1: Tensor, tensor2: Tensor, value: Number | None = None) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.addcmul_(tensor1, tensor2, value=self.value if value is None else value)
        return torch.addcmul(input, tensor1, tensor2, value=self.value if value is None else value)


class Addcdiv(Operation):
    """`torch.addcdiv` as a module; on `input` itself where `inplace`."""

    def __init__(self, value: Number = 1, inplace: bool = False) -> None:
        super().__init__()
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor, tensor1: Tensor, tensor2: Tensor, value: Number | None = None) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.addcdiv_(tensor1, tensor2, value=self.value if value is None else value)
        return torch.addcdiv(input, tensor1, tensor2, value=self.value if value is None else value)


class Lerp(Operation):
    """`torch.lerp` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, end: Tensor, weight: Tensor) -> Tensor:
        """Combine operands of broadcastable shapes."""
        if self.inplace:
            return input.lerp_(end, weight)
        return torch.lerp(input, end, weight)


class Addmm(Operation):
    """`torch.addmm` as a module; on `input` itself where `inplace`."""

    def __init__(self, beta: Number = 1, alpha: Number = 1, inplace: bool = False) -> None:
        super().__init__()
        self.beta = beta
        self.alpha = alpha
        self.inplace = inplace

    def forward(
        self, input: Tensor, mat1: Tensor, mat2: Tensor, beta: Number | None = None, alpha: Number | None = None
    ) -> Tensor:
        """Multiply operands of the shapes that torch requires, add `input`."""
        beta = self.beta if beta is None else beta
        alpha = self.alpha if alpha is None else alpha
        if self.inplace:
            return input.addmm_(mat1, mat2, beta=beta, alpha=alpha)
        return torch.addmm(input, mat1, mat2, beta=beta, alpha=alpha)


class Addmv(Operation):
    """`torch.addmv` as a module; on `input` itself where `inplace`."""

    def __init__(self, beta: Number = 1, alpha: Number = 1, inplace: bool = False) -> None:
        super().__init__()
        self.beta = beta
        self.alpha = alpha
        self.inplace = inplace

    def forward(
        self, input: Tensor, mat: Tensor, vec: Tensor, beta: Number | None = None, alpha: Number | None = None
    ) -> Tensor:
        """Multiply operands of the shapes that torch requires, add `input`."""
        beta = self.beta if beta is None else beta
        alpha = self.alpha if alpha is None else alpha
        if self.inplace:
            return input.addmv_(mat, vec, beta=beta, alpha=alpha)
        return torch.addmv(input, mat, vec, beta=beta, alpha=alpha)


class Addr(Operation):
    """`torch.addr` as a module; on `input` itself where `inplace`."""

    def __init__(self, beta: Number = 1, alpha: Number = 1, inplace: bool = False) -> None:
        super().__init__()
        self.beta = beta
        self.alpha = alpha
        self.inplace = inplace

    def forward(
        self, input: Tensor, vec1: Tensor, vec2: Tensor, beta: Number | None = None, alpha: Number | None = None
    ) -> Tensor:
        """Multiply operands of the shapes that torch requires, add `input`."""
        beta = self.beta if beta is None else beta
        alpha = self.alpha if alpha is None else alpha
        if self.inplace:
            return input.addr_(vec1, vec2, beta=beta, alpha=alpha)
        return torch.addr(input, vec1, vec2, beta=beta, alpha=alpha)


class Addbmm(Operation):
    """`torch.addbmm` as a module; on `input` itself where `inplace`."""

    def __init__(self, beta: Number = 1, alpha: Number = 1, inplace: bool = False) -> None:
        super().__init__()
        self.beta = beta
        self.alpha = alpha
        self.inplace = inplace

    def forward(
        self, input: Tensor, batch1: Tensor, batch2: Tensor, beta: Number | None = None, alpha: Number | None = None
    ) -> Tensor:
        """Multiply operands of the shapes that torch requires, add `input`."""
        beta = self.beta if beta is None else beta
        alpha = self.alpha if alpha is None else alpha
        if self.inplace:
            return input.addbmm_(batch1, batch2, beta=beta, alpha=alpha)
        return torch.addbmm(input, batch1, batch2, beta=beta, alpha=alpha)


class Baddbmm(Operation):
    """`torch.baddbmm` as a module; on `input` itself where `inplace`."""

    def __init__(self, beta: Number = 1, alpha: Number = 1, inplace: bool = False) -> None:
        super().__init__()
        self.beta = beta
        self.alpha = alpha
        self.inplace = inplace

    def forward(
        self, input: Tensor, batch1: Tensor, batch2: Tensor, beta: Number | None = None, alpha: Number | None = None
    ) -> Tensor:
        """Multiply operands of the shapes that torch requires, add `input`."""
        beta = self.beta if beta is None else beta
        alpha = self.alpha if alpha is None else alpha
        if self.inplace:
            return input.baddbmm_(batch1, batch2, beta=beta, alpha=alpha)
        return torch.baddbmm(input, batch1, batch2, beta=beta, alpha=alpha)
