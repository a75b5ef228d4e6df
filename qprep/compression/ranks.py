"""The same masks on every process of a training."""

from __future__ import annotations

from torch import Tensor
from torch import distributed as dist


def from_first_rank(mask: Tensor) -> Tensor:
    """The first rank's booleans on all ranks; itself with one process."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return mask
    shared = mask.byte().contiguous()
    dist.broadcast(shared, src=0)
    return shared.bool()
