"""Products of matrices and vectors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class BatchMatMul(Operation):
    """`torch.bmm` as a module."""

    def forward(self, input: Tensor, mat2: Tensor) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.bmm(input, mat2)


class Mm(Operation):
    """`torch.mm` as a module."""

    def forward(self, input: Tensor, mat2: Tensor) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.mm(input, mat2)


class Mv(Operation):
    """`torch.mv` as a module."""

    def forward(self, input: Tensor, vec: Tensor) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.mv(input, vec)


class Dot(Operation):
    """`torch.dot` as a module."""

    def forward(self, input: Tensor, tensor: Tensor) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.dot(input, tensor)


class Vdot(Operation):
    """`torch.vdot` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.vdot(input, other)


class Vecdot(Operation):
    """`torch.linalg.vecdot` as a module."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor, y: Tensor, dim: int | None = None) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        result: Tensor = torch.linalg.vecdot(x, y, dim=self.dim if dim is None else dim)
        return result


class Inner(Operation):
    """`torch.inner` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.inner(input, other)


class Outer(Operation):
    """`torch.outer` as a module."""

    def forward(self, input: Tensor, vec2: Tensor) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.outer(input, vec2)


class Cross(Operation):
    """`torch.cross` as a module."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.cross(input, other, self.dim if dim is None else dim)


class LinalgCross(Operation):
    """`torch.linalg.cross` as a module."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        result: Tensor = torch.linalg.cross(input, other, dim=self.dim if dim is None else dim)
        return result


class Kron(Operation):
    """`torch.kron` as a module."""

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.kron(input, other)


class MatrixPower(Operation):
    """`torch.matrix_power` as a module."""

    def __init__(self, n: int = 1) -> None:
        super().__init__()
        self.n = n

    def forward(self, input: Tensor, n: int | None = None) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        return torch.matrix_power(input, self.n if n is None else n)


class MultiDot(Operation):
    """`torch.linalg.multi_dot` as a module."""

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """Multiply operands of the shapes that torch requires."""
        result: Tensor = torch.linalg.multi_dot(tensors)
        return result


class TensorDot(Operation):
    """`torch.tensordot` over `dims`: their number, or the two lists of them."""

    def __init__(self, dims: int | Sequence[Sequence[int]] = 2) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] | None = None) -> Tensor:
        """Contract the last `dims` dimensions of `a` with the first of `b`, or those listed."""
        result: Tensor = torch.tensordot(a, b, self.dims if dims is None else dims)
        return result


class Einsum(Operation):
    """`torch.einsum` with `equation`; the call may give its own before the operands."""

    def __init__(self, equation: str = "") -> None:
        super().__init__()
        self.equation = equation

    def forward(self, *operands: Tensor | str | list[int] | None) -> Tensor:
        """Sum products of the operands over the indices that the equation names.

        Takes (equation, *operands), the operands alone, or torch's other form: each operand and its list of indices.
        """
        if operands and (operands[0] is None or isinstance(operands[0], str)):
            return torch.einsum(operands[0] or self.equation, *operands[1:])
        if len(operands) > 1 and isinstance(operands[0], Tensor) and not isinstance(operands[1], Tensor):
            return torch.einsum(*operands)
        return torch.einsum(self.equation, *operands)


class ChainMatMul(Operation):
    """`torch.chain_matmul`."""

    def forward(self, *matrices: Tensor) -> Tensor:
        """Multiply matrices in the cheapest order."""
        result: Tensor = torch.chain_matmul(*matrices)  # type: ignore[no-untyped-call]
        return result
