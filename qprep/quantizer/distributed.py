"""Ranges and starting values over all processes of a training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist


def reduced_range(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest `low` and the largest `high` of all ranks, in one exchange; unchanged with one process."""
    if _alone():
        return low, high
    both = torch.stack([-low, high])
    dist.all_reduce(both, op=dist.ReduceOp.MAX)
    return -both[0], both[1]


def mean_over_ranks(values: Tensor) -> Tensor:
    """The mean of `values` of all ranks; itself with one process."""
    if _alone():
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def any_over_ranks(found: Tensor) -> bool:
    """True if `found`, a scalar, is true on any rank."""
    if _alone():
        return bool(found)
    number = found.int()
    dist.all_reduce(number, op=dist.ReduceOp.MAX)
    return bool(number)


def _alone() -> bool:
    return not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1
