"""Tensors that a model holds: parameters and buffers, or views of them, which a runtime knows ahead."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from torch import Tensor, nn

_storages: ContextVar[frozenset[int]] = ContextVar("storages", default=frozenset())


@contextlib.contextmanager
def holding(model: nn.Module) -> Iterator[None]:
    """Let `is_held` speak of `model`."""
    tensors = (*model.parameters(), *model.buffers())
    token = _storages.set(frozenset(each.untyped_storage().data_ptr() for each in tensors if each.numel()))
    try:
        yield
    finally:
        _storages.reset(token)


def is_held(tensor: Tensor) -> bool:
    """True if `tensor`, no `IntegerTensor`, is one of the model's, or a view of one."""
    return tensor.numel() > 0 and tensor.untyped_storage().data_ptr() in _storages.get()
