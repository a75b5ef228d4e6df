# ruff: noqa: PLR0917 -- parameters are torch's own
"""Writes that add or reduce several elements into one place."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Number, Operation


class IndexAdd(Operation):
    """`torch.index_add` as a module; on `input` itself where `inplace`."""

    def __init__(self, alpha: Number = 1, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Number | None = None) -> Tensor:
        """Write into `input` along `dim` at the places that `index` names."""
        if self.inplace:
            return input.index_add_(dim, index, source, alpha=self.alpha if alpha is None else alpha)
        return torch.index_add(input, dim, index, source, alpha=self.alpha if alpha is None else alpha)


class IndexReduce(Operation):
    """`torch.index_reduce` as a module; on `input` itself where `inplace`."""

    def __init__(self, reduce: str = "sum", include_self: bool = True, inplace: bool = False) -> None:
        super().__init__()
        self.reduce = reduce
        self.include_self = include_self
        self.inplace = inplace

    def forward(
        self,
        input: Tensor,
        dim: int,
        index: Tensor,
        source: Tensor,
        reduce: str | None = None,
        include_self: bool | None = None,
    ) -> Tensor:
        """Write into `input` along `dim` at the places that `index` names."""
        reduce = self.reduce if reduce is None else reduce
        include_self = self.include_self if include_self is None else include_self
        if self.inplace:
            return input.index_reduce_(dim, index, source, reduce, include_self=include_self)
        return torch.index_reduce(input, dim, index, source, reduce, include_self=include_self)


class ScatterAdd(Operation):
    """`torch.scatter_add` as a module; on `input` itself where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
        """Write into `input` along `dim` at the places that `index` names."""
        if self.inplace:
            return input.scatter_add_(dim, index, src)
        return torch.scatter_add(input, dim, index, src)


class ScatterReduce(Operation):
    """`torch.scatter_reduce` as a module; on `input` itself where `inplace`."""

    def __init__(self, reduce: str = "sum", include_self: bool = True, inplace: bool = False) -> None:
        super().__init__()
        self.reduce = reduce
        self.include_self = include_self
        self.inplace = inplace

    def forward(
        self,
        input: Tensor,
        dim: int,
        index: Tensor,
        src: Tensor,
        reduce: str | None = None,
        include_self: bool | None = None,
    ) -> Tensor:
        """Write into `input` along `dim` at the places that `index` names."""
        reduce = self.reduce if reduce is None else reduce
        include_self = self.include_self if include_self is None else include_self
        if self.inplace:
            return input.scatter_reduce_(dim, index, src, reduce, include_self=include_self)
        return torch.scatter_reduce(input, dim, index, src, reduce, include_self=include_self)
