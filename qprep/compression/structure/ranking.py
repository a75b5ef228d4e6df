"""Selection of channels: norms of groups, shares of a family or of all, shares of the multiply-accumulates."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import torch
from torch import Tensor

from qprep.compression.structure.cutting import tensors_of
from qprep.compression.structure.model import Groups, Slot
from qprep.compression.structure.structure_errors import StructureError

Scores = Mapping[str, Tensor]
_Kind = TypeVar("_Kind", bound=enum.Enum)


_STAGES: Final[tuple[Callable[[Slot], bool], ...]] = (
    lambda slot: slot.makes and not slot.carries,
    lambda slot: slot.carries,
    lambda slot: slot.multiplies,
    lambda slot: slot.reads,
)


class ChannelNorm(enum.Enum):
    """Of the weights of a channel."""

    L1 = "l1"
    L2 = "l2"


class RankingScope(enum.Enum):
    """The whole that a share refers to."""

    FAMILY = "family"
    GLOBAL = "global"


class Cost(enum.Enum):
    """The cost that removing channels saves."""

    MACS = "macs"
    PARAMETERS = "parameters"

    @property
    def what(self) -> str:
        """In words."""
        return "multiply-accumulates" if self is Cost.MACS else "parameters"


def scores(found: Groups, norm: str = "l1") -> dict[str, Tensor]:
    """By family, the score of each group, shape (size,): what it contributes, 1 for the mean of its family.

    A channel passes through stages: weights that compute it, depthwise weights, weights of norms, weights that read it.
    In each stage its norm is the mean magnitude or the root of the mean square, as a multiple of the mean over all
    channels, averaged over the weights of the stage. The score is the geometric mean of the stages: what is 0 in one
    of them contributes nothing, and the scale of a whole layer, which a norm behind it takes out, does not count.
    """
    kind, tensors = _one_of(ChannelNorm, norm, "norm"), tensors_of(found.model)
    rows: dict[tuple[str, int], Tensor] = {}
    result = {}
    for family in found.families:
        factors = []
        for stage in _STAGES:
            norms = []
            for slot in filter(stage, family.slots):
                key = (slot.tensor, slot.dim)
                if key not in rows:
                    rows[key] = _norms(tensors[slot.tensor], slot.dim, kind)
                norms.append(_relative(rows[key][slot.index].mean(1)))
            if norms:
                factors.append(torch.stack(norms).mean(0))
        result[family.name] = torch.stack(factors).prod(0).pow(1 / len(factors))
    return result


def choose(
    scores: Scores, share: float, *, scope: str = "family", keep_at_least: int = 1, round_to: int = 1
) -> dict[str, list[int]]:
    """The groups with the lowest scores: `share` of each family, or of all together with scope "global".

    keep_at_least  groups of a family that stay in any case
    round_to       what stays of a family is a multiple of it, rounded up, or the whole family

    Equal scores go in order. Raises StructureError for a share outside 0..1, or numbers below 1.
    """
    _check(share, keep_at_least, round_to)
    if _one_of(RankingScope, scope, "scope") is RankingScope.FAMILY:
        counts = {name: int(share * len(each) + 1e-9) for name, each in scores.items()}
    else:
        counts = _below(scores, int(share * sum(map(len, scores.values())) + 1e-9))
    return _lowest(scores, counts, keep_at_least, round_to)


def choose_cost(
    found: Groups, scores: Scores, share: float, *, cost: str = "macs", keep_at_least: int = 1, round_to: int = 1
) -> dict[str, list[int]]:
    """The fewest groups, lowest scores of all first, that take at least `share` of a cost away.

    cost  "macs", multiply-accumulates of the run, or "parameters", elements of all parameters

    The number is found by bisection. Raises StructureError if even all that may go take less.
    """
    _check(share, keep_at_least, round_to)
    kind = _one_of(Cost, cost, "cost")
    count = found.macs if kind is Cost.MACS else found.parameters
    target = count() * (1 - share)

    def taken(number: int) -> dict[str, list[int]]:
        return _lowest(scores, _below(scores, number), keep_at_least, round_to)

    low, high = 0, sum(map(len, scores.values()))
    least = count(taken(high))
    if least > target:
        most = 1 - least / max(count(), 1)
        raise StructureError(f"expected a share of the {kind.what} up to {most:.4f}, found {share:g}")
    while low < high:
        middle = (low + high) // 2
        if count(taken(middle)) <= target:
            high = middle
        else:
            low = middle + 1
    return taken(low)


def _norms(tensor: Tensor, dim: int, norm: ChannelNorm) -> Tensor:
    rows = tensor.movedim(dim, 0).reshape(tensor.shape[dim], -1).to(torch.float64)
    found = rows.abs().mean(1) if norm is ChannelNorm.L1 else rows.square().mean(1).sqrt()
    return found.cpu()


def _relative(norms: Tensor) -> Tensor:
    """Norms as multiples of their mean; 0 where all are 0."""
    mean = norms.mean()
    return norms / mean if mean > 0 else norms


def _below(scores: Scores, number: int) -> dict[str, int]:
    """By family, how many of the `number` lowest groups of all are its own."""
    names = list(scores)
    owner = torch.cat([torch.full((len(scores[name]),), place) for place, name in enumerate(names)]) if names else None
    if owner is None:
        return {}
    order = torch.argsort(torch.cat([scores[name] for name in names]), stable=True)[:number]
    counts = torch.bincount(owner[order], minlength=len(names)).tolist()
    return dict(zip(names, counts, strict=True))


def _lowest(scores: Scores, counts: Mapping[str, int], keep_at_least: int, round_to: int) -> dict[str, list[int]]:
    chosen = {}
    for name, each in scores.items():
        stays = max(len(each) - counts[name], keep_at_least)
        stays = min(math.ceil(stays / round_to) * round_to, len(each))
        if stays < len(each):
            chosen[name] = sorted(torch.argsort(each, stable=True)[: len(each) - stays].tolist())
    return chosen


def _check(share: float, keep_at_least: int, round_to: int) -> None:
    if not 0 <= share <= 1:
        raise StructureError(f"expected a share from 0 to 1, found {share:g}")
    for name, value in (("keep_at_least", keep_at_least), ("round_to", round_to)):
        if value < 1:
            raise StructureError(f"expected {name} of at least 1, found {value}")


def _one_of(kind: type[_Kind], value: str, what: str) -> _Kind:
    try:
        return kind(value)
    except ValueError:
        known = " or ".join(repr(each.value) for each in kind)
        raise StructureError(f"expected {what} {known}, found {value!r}") from None
