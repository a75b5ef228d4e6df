"""Arguments of a call, and random tensors to call with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

_RANDOM = torch.Generator().manual_seed(0)


@dataclass(frozen=True)
class Call:
    """Arguments of one call."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def call(*args: Any, **kwargs: Any) -> Call:
    return Call(args, kwargs)


def rand(*shape: int) -> Tensor:
    """Numbers between 0.1 and 0.9: in the domain of every function."""
    return torch.rand(shape, generator=_RANDOM) * 0.8 + 0.1


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=_RANDOM)
