# ruff: noqa: ANN401 -- arguments of any operation
"""Results that are written into another tensor, as the `out=` of torch's functions has it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Into(nn.Module):
    """`operation`, whose result is written into `out`: `Into(EltwiseAdd())(x, y, out=z)` is `torch.add(x, y, out=z)`.

    Without `out`, or with None, it is the operation alone.

    Raises RuntimeError as torch does: where gradients would have to go through `out`, or where the dtype of `out`
    cannot hold the result.
    """

    def __init__(self, operation: nn.Module) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, *args: Any, out: Tensor | None = None, **kwargs: Any) -> Any:
        """Write into `out`, which takes the shape of the result, and return it."""
        result = self.operation(*args, **kwargs)
        if out is None:
            return result
        if torch.is_grad_enabled() and (result.requires_grad or out.requires_grad):
            raise RuntimeError("out=... does not support automatic differentiation, and an argument requires grad")
        if not torch.can_cast(result.dtype, out.dtype):
            raise RuntimeError(f"expected an `out` that holds {result.dtype}, found {out.dtype}")
        if out.shape != result.shape:
            out.resize_(result.shape)
        return out.copy_(result)
