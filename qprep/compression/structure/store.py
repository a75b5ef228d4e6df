"""Store of labels: their origin, the groups that they form, and the reasons why some must stay."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from qprep.compression.structure.labels import core, unique


class DimensionRole(enum.Flag):
    """The role of a dimension of a tensor for channels."""

    NONE = 0
    MAKES = enum.auto()  # a weight that computes them
    SCALES = enum.auto()  # a parameter for each: bias, BatchNorm's weight
    READS = enum.auto()
    CARRIES = enum.auto()  # a depthwise weight: it computes a channel out of that channel alone
    MULTIPLIES = enum.auto()  # the weight of a norm, by which the channel is multiplied


class BlockKind(enum.Enum):
    """The meaning of a block's positions."""

    PARAMETER = "parameter"
    BUFFER = "buffer"
    ATTRIBUTE = "attribute"  # an attribute of a module that holds a number of channels


@dataclass(eq=False, slots=True)
class Block:
    """A dimension of a tensor, or an attribute: its labels are start, start + 1, …"""

    kind: BlockKind
    name: str
    dim: int
    start: int
    size: int

    @property
    def labels(self) -> Tensor:
        """One for each position."""
        return torch.arange(self.start, self.start + self.size)


@dataclass(frozen=True, slots=True)
class Cause:
    """The reason why channels stay: a clause, the module of its origin, "file:line" of the code that ran there."""

    reason: str
    module: str = ""
    place: str = ""


@dataclass(eq=False, slots=True)
class LabelStore:
    """Labels by block, pairs of labels that go together, and what is frozen."""

    blocks: list[Block] = field(default_factory=list)
    frozen: list[tuple[Tensor, Cause]] = field(default_factory=list)
    size: int = 1  # the next label
    _by_key: dict[tuple[BlockKind, str, int], Block] = field(default_factory=dict)
    _pairs: list[Tensor] = field(default_factory=list)
    _marks: dict[DimensionRole, list[Tensor]] = field(default_factory=lambda: defaultdict(list))

    def block(self, kind: BlockKind, name: str, dim: int, size: int) -> Block:
        """The block of a dimension, the same one each time."""
        found = self._by_key.get((kind, name, dim))
        if found is None:
            found = self._by_key[kind, name, dim] = Block(kind, name, dim, self.size, size)
            self.blocks.append(found)
            self.size += size
        return found

    def merge(self, first: Tensor, second: Tensor, cause: Cause) -> None:
        """Let labels at the same place go together; one next to 0 stays, for `cause`."""
        first, second = _alike(first.abs(), second.abs())
        first, second = first.reshape(-1), second.reshape(-1)
        alone = (first == 0) != (second == 0)
        if bool(alone.any()):
            self.freeze((torch.maximum(first, second)[alone],), cause)
        different = (first != second) & (first != 0) & (second != 0)
        if bool(different.any()):
            self._pairs.append(torch.stack([first[different], second[different]]))

    def freeze(self, layers: Iterable[Tensor], cause: Cause) -> None:
        """Let all channels in `layers` stay."""
        for layer in layers:
            labels = core(layer).reshape(-1).abs()
            labels = labels[labels > 0]
            if len(labels):
                self.frozen.append((unique(labels), cause))

    def mark(self, labels: Tensor, role: DimensionRole) -> None:
        """Note what the blocks that `labels` come from do; `roles` has it."""
        self._marks[role].append(labels.abs().reshape(-1))

    def roles(self) -> list[DimensionRole]:
        """The role of each block, in their order."""
        found = [DimensionRole.NONE] * len(self.blocks)
        starts = torch.tensor([block.start for block in self.blocks])
        for role, parts in self._marks.items():
            labels = torch.cat(parts)
            places = torch.searchsorted(starts, labels[labels > 0], right=True) - 1
            for place in unique(places).tolist():
                found[place] |= role
        return found

    def components(self) -> Tensor:
        """By label, the smallest label of those that it goes together with, directly or through others."""
        root = torch.arange(self.size)
        if not self._pairs:
            return root
        pairs = torch.cat(self._pairs, 1)
        coded = unique(pairs[0] * self.size + pairs[1])
        first, second = coded // self.size, coded % self.size
        while True:
            low = torch.minimum(root[first], root[second])
            moved = root.clone()
            # the representative of a label moves, not the label alone: long chains close in a few rounds
            for side in (first, second):
                moved.scatter_reduce_(0, root[side], low, "amin")
                moved.scatter_reduce_(0, side, low, "amin")
            while True:
                jumped = moved[moved]
                if torch.equal(jumped, moved):
                    break
                moved = jumped
            if torch.equal(moved, root):
                return root
            root = moved


def _alike(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    shape = (first + second).shape
    return first.expand(shape), second.expand(shape)
