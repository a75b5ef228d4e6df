"""Copies of models some of whose tensors are computed from parameters, which torch refuses to copy."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TypeVar

from torch import Tensor, nn

T = TypeVar("T")


def copy_of(value: T, model: nn.Module) -> T:
    """A deep copy of `value`, which holds `model`.

    Attributes that a forward of `model` computed from parameters (`weight_norm` and `spectral_norm` of old, pruning)
    are copied by value: the next forward computes them anew.
    """
    memo: dict[int, object] = {id(each): each.detach().clone() for each in _computed(model)}
    return copy.deepcopy(value, memo)


def _computed(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        yield from (each for each in vars(module).values() if isinstance(each, Tensor) and not each.is_leaf)
