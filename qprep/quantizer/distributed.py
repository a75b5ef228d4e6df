"""Ranges over all processes of a training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist


def reduced_range(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest `low` and the largest `high` of all ranks, in one exchange; unchanged with one process."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return low, high
    both = torch.stack([-low, high])
    dist.all_reduce(both, op=dist.ReduceOp.MAX)
    return -both[0], both[1]
