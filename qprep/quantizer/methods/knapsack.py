"""One choice for each of several things, of the least price together, within a budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

_UNITS: Final = 4096  # that a budget is counted in


def cheapest(sizes: Sequence[Sequence[float]], prices: Sequence[Sequence[float]], budget: float) -> list[int]:
    """The index of each thing's choice, so that prices add up to the least and sizes to at most `budget`.

    By dynamic programming over sizes in units of 1/4096 of the budget, rounded down; where that lets too much in, for a
    unit less. Where the smallest choices of all exceed the budget, those.
    """
    units = [[int(size / budget * _UNITS) for size in each] for each in sizes]
    best, taken = _table(units, prices)
    for room in range(_UNITS, -1, -1):
        if math.isinf(best[room]):
            break
        found = _choices(taken, units, room)
        if sum(each[at] for each, at in zip(sizes, found, strict=True)) <= budget * (1 + 1e-9):
            return found
    return [min(range(len(each)), key=each.__getitem__) for each in sizes]


def _table(units: Sequence[Sequence[int]], prices: Sequence[Sequence[float]]) -> tuple[Tensor, list[Tensor]]:
    """The least price for each room up to all units, and which choice of each thing it takes."""
    best, taken = torch.zeros(_UNITS + 1, dtype=torch.float64), []
    for size, price in zip(units, prices, strict=True):
        options = torch.full((len(size), _UNITS + 1), math.inf, dtype=torch.float64)
        for at, (needed, cost) in enumerate(zip(size, price, strict=True)):
            if needed <= _UNITS:
                options[at, needed:] = best[: _UNITS + 1 - needed] + cost
        best, choice = options.min(0)
        taken.append(choice)
    return best, taken


def _choices(taken: Sequence[Tensor], units: Sequence[Sequence[int]], room: int) -> list[int]:
    found = []
    for choice, size in zip(reversed(taken), reversed(units), strict=True):
        found.append(int(choice[room]))
        room -= size[found[-1]]
    return found[::-1]
