"""Modules that put several tensors into one, and the tuples that result from taking one apart."""

from collections.abc import Iterable

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Concat(Operation):
    """`torch.cat` along `dim`."""

    def __init__(self, dim: int = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, tensors: list[Tensor], dim: int | None = None) -> Tensor:
        """Join tensors whose shapes agree but in `dim`."""
        return torch.cat(tensors, self.dim if dim is None else dim)


class Stack(Operation):
    """`torch.stack` along a new `dim`."""

    def __init__(self, dim: int = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, tensors: list[Tensor], dim: int | None = None) -> Tensor:
        """Join tensors of one shape along a new dimension."""
        return torch.stack(tensors, self.dim if dim is None else dim)


class HStack(Operation):
    """`torch.hstack`."""

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """Join tensors along their columns."""
        return torch.hstack(tensors)


class VStack(Operation):
    """`torch.vstack`."""

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """Join tensors along their rows."""
        return torch.vstack(tensors)


class DStack(Operation):
    """`torch.dstack`."""

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """Join tensors along their third dimension."""
        return torch.dstack(tensors)


class ColumnStack(Operation):
    """`torch.column_stack`."""

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """Join vectors as columns, matrices along their columns."""
        return torch.column_stack(tensors)


class BlockDiag(Operation):
    """`torch.block_diag`."""

    def forward(self, *tensors: Tensor) -> Tensor:
        """Put matrices on the diagonal of one."""
        result: Tensor = torch.block_diag(*tensors)  # type: ignore[no-untyped-call]
        return result


class CartesianProd(Operation):
    """`torch.cartesian_prod`."""

    def forward(self, *tensors: Tensor) -> Tensor:
        """Combine each element of one vector with each of the others: (n1 * n2 * …, number of vectors)."""
        return torch.cartesian_prod(*tensors)


class SumList(Operation):
    """Python's `sum` over a sequence of tensors: additions one by one, from `start` on."""

    def forward(self, iterable: Iterable[Tensor], start: Tensor | int = 0) -> Tensor:
        """Add tensors of broadcastable shapes."""
        return sum(iterable, start)  # type: ignore[return-value]


class Chunk(Operation):
    """`torch.chunk`: a tuple of up to `chunks` views along `dim`."""

    def __init__(self, chunks: int = 1, dim: int = 0) -> None:
        super().__init__()
        self.chunks = chunks
        self.dim = dim

    def forward(self, input: Tensor, chunks: int | None = None, dim: int | None = None) -> tuple[Tensor, ...]:
        """Take `input` apart along `dim`."""
        return torch.chunk(input, self.chunks if chunks is None else chunks, self.dim if dim is None else dim)


class Split(Operation):
    """`torch.split`: a tuple of views along `dim`, of `split_size` each or of the sizes listed."""

    def __init__(self, split_size: int | list[int] = 1, dim: int = 0) -> None:
        super().__init__()
        self.split_size = split_size
        self.dim = dim

    def forward(
        self, input: Tensor, split_size: int | list[int] | None = None, dim: int | None = None
    ) -> tuple[Tensor, ...]:
        """Take `input` apart along `dim`."""
        size = self.split_size if split_size is None else split_size
        return torch.split(input, size, self.dim if dim is None else dim)
