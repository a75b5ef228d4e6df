"""Arguments that a training loop gives to the scheduler: a model, a loss, example inputs, batches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sized
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from qprep.compression.errors import CompressionError


def example_of(given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:  # noqa: ANN401
    """Positional and keyword inputs of what a user gives: a tensor, a tuple or list, or a mapping of keywords."""
    if given is None:
        return (), {}
    if isinstance(given, Mapping):
        return (), dict(given)
    if isinstance(given, (tuple, list)):
        return tuple(given), {}
    return (given,), {}


def check_model(model: object) -> None:
    """CompressionError for another type, and for a model that FSDP shards."""
    if not isinstance(model, nn.Module):
        raise CompressionError(f"expected an nn.Module, found {type(model).__name__}")
    empty = next((name for name, each in model.named_parameters() if is_lazy(each)), None)
    if empty is not None:
        raise CompressionError(
            f"expected parameters with data, found {empty} of a lazy module: run the model on a batch before"
        )
    sharded = any(type(each).__name__ == "FullyShardedDataParallel" for each in model.modules())
    if sharded or any(getattr(each, "device_mesh", None) is not None for each in model.parameters()):
        raise CompressionError(
            "expected a model with whole parameters, found one sharded by FSDP: compress it before, or use DDP"
        )


def check_loss(loss: object, step: int) -> None:
    """CompressionError for a loss that is not a finite scalar."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        found = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise CompressionError(f"expected a scalar tensor as loss, found {found}")
    number = float(loss.detach())  # one number to test costs a step less than three operations of torch
    if not math.isfinite(number):
        raise CompressionError(f"expected a finite loss, found {number} at step {step}")


def length_of(loader: object) -> int | None:
    """The number of batches; None if it is not known."""
    try:
        return len(loader) if isinstance(loader, Sized) else None
    except TypeError:  # of loaders that have a length only with some data
        return None
