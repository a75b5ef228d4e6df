"""Structures of a weight: filters, channels, kernels, rows, columns, blocks, as rows of a matrix and back."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from qprep.compression.errors import CompressionError
from qprep.compression.pruners.pruner import check_at_least
from qprep.foundation.suggestions import did_you_mean


class StructureKind(enum.Enum):
    """The kinds of structures."""

    OUTPUTS = "outputs"  # along dimension 0; dimension 1 of a transposed convolution
    INPUTS = "inputs"  # along dimension 1; dimension 0 of a transposed convolution
    KERNELS = "2D"
    LAYER = "4D"
    BLOCKS = "Blocks"


# Distiller's names. Its rankings take Rows of a matrix for what the layer reads, its regularizers as they are.
RANKED = {
    "3D": StructureKind.OUTPUTS,
    "Filters": StructureKind.OUTPUTS,
    "outputs": StructureKind.OUTPUTS,
    "Channels": StructureKind.INPUTS,
    "Rows": StructureKind.INPUTS,
    "inputs": StructureKind.INPUTS,
    "Cols": StructureKind.OUTPUTS,
    "2D": StructureKind.KERNELS,
    "4D": StructureKind.LAYER,
    "Blocks": StructureKind.BLOCKS,
}
REGULARIZED = {**RANKED, "Rows": StructureKind.OUTPUTS, "Cols": StructureKind.INPUTS}
CRITERIA: Final = ("Max", "Mean_Abs")
_FOR_CONVOLUTIONS = ("3D", "Filters", "Channels", "2D", "4D")
_FOR_MATRICES = ("Rows", "Cols")


@dataclass(frozen=True, slots=True)
class Layout:
    """The position of structures of one kind in a weight.

    block       sizes of a block along the first dimensions, for blocks only
    transposed  whether the weight is of a transposed convolution, whose first dimension is what it reads
    """

    kind: StructureKind
    block: tuple[int, ...] = ()
    transposed: bool = False

    @property
    def dim(self) -> int | None:
        """The dimension that structures are along, None for kernels, layers and blocks."""
        found = {StructureKind.OUTPUTS: 0, StructureKind.INPUTS: 1}.get(self.kind)
        return found if found is None or not self.transposed else 1 - found

    def of_layer(self, layer: nn.Module | None) -> Layout:
        """The same structures in a weight of `layer`."""
        return replace(self, transposed=isinstance(layer, _ConvTransposeNd))

    def rows(self, weight: Tensor) -> Tensor:
        """(structures, elements of each)."""
        if self.dim == 0:
            return weight.flatten(1) if weight.dim() > 1 else weight.unsqueeze(1)
        if self.dim == 1:
            return weight.transpose(0, 1).flatten(1)
        if self.kind is StructureKind.KERNELS:
            return weight.flatten(0, 1).flatten(1)
        if self.kind is StructureKind.LAYER:
            return weight.reshape(1, -1)
        sizes, counts = self._blocks(weight.shape)
        split = weight.reshape([each for pair in zip(counts, sizes, strict=True) for each in pair])
        order = [*range(0, 2 * len(sizes), 2), *range(1, 2 * len(sizes), 2)]
        return split.permute(order).reshape(math.prod(counts), -1)

    def spread(self, values: Tensor, shape: Sequence[int]) -> Tensor:
        """A value for each structure as a tensor of the weight's shape."""
        if self.kind is StructureKind.BLOCKS:
            sizes, counts = self._blocks(shape)
            wide = values.view(counts)
            for dim, size in enumerate(sizes):
                wide = wide.repeat_interleave(size, dim)
            return wide
        if self.dim is not None:
            return values.view([-1 if dim == self.dim else 1 for dim in range(len(shape))]).expand(*shape)
        view = {
            StructureKind.KERNELS: (*shape[:2], *[1] * (len(shape) - 2)),
            StructureKind.LAYER: [1] * len(shape),
        }[self.kind]
        return values.view(*view).expand(*shape)

    def check(self, name: str, shape: Sequence[int], group_type: str) -> None:
        """CompressionError, with name and shape, where a weight has no such structures."""
        found = f"found {name} of shape {tuple(shape)}"
        if group_type in _FOR_CONVOLUTIONS and len(shape) < 3:
            raise CompressionError(
                f"expected the weight of a convolution for group_type {group_type!r} (outputs and inputs are for "
                f"matrices), {found}"
            )
        if group_type in _FOR_MATRICES and len(shape) != 2:
            raise CompressionError(f"expected a matrix for group_type {group_type!r}, {found}")
        if self.kind in (StructureKind.INPUTS, StructureKind.KERNELS) and len(shape) < 2:
            raise CompressionError(f"expected two dimensions or more for group_type {group_type!r}, {found}")
        if self.kind is StructureKind.BLOCKS:
            self._check_block(name, shape)

    def _check_block(self, name: str, shape: Sequence[int]) -> None:
        sizes, _ = self._blocks(shape)
        if any(each != 1 for each in self.block[len(shape) :]) or any(
            whole % size for whole, size in zip(shape, sizes, strict=True)
        ):
            raise CompressionError(
                f"expected a block_shape that divides the shape of {name}, {tuple(shape)}, found {list(self.block)}"
            )

    def _blocks(self, shape: Sequence[int]) -> tuple[list[int], list[int]]:
        sizes = [*self.block, *[1] * len(shape)][: len(shape)]
        return sizes, [whole // size for whole, size in zip(shape, sizes, strict=True)]


def layout_of(group_type: str, block_shape: Sequence[int] | None, *, ranked: bool) -> Layout:
    """The layout that a file calls `group_type`; CompressionError for an unknown one and for a wrong block."""
    known = RANKED if ranked else REGULARIZED
    if group_type not in known:
        hint = did_you_mean(str(group_type), known) or f"; known are {', '.join(known)}"
        raise CompressionError(f"expected a group_type, found {group_type!r}{hint}")
    kind = known[group_type]
    if kind is not StructureKind.BLOCKS:
        return Layout(kind)
    sizes = list(block_shape or ())
    if not sizes or any(isinstance(each, bool) or not isinstance(each, int) or each < 1 for each in sizes):
        raise CompressionError(
            "expected block_shape as [filters, channels, height, width] with group_type 'Blocks', "
            f"found {block_shape!r}"
        )
    return Layout(kind, tuple(sizes))


@dataclass(frozen=True, slots=True)
class Regime:
    """A strength or threshold, and the groups that it is for, with the names that a file has for them."""

    strength: float
    layouts: tuple[Layout, ...]
    kinds: tuple[str, ...]

    def of_layer(self, layer: nn.Module | None) -> Regime:
        """The same in a weight of `layer`."""
        return replace(self, layouts=tuple(each.of_layer(layer) for each in self.layouts))

    def check(self, name: str, parameter: Tensor) -> None:
        """CompressionError, with name and shape, where a weight has no such groups."""
        for layout, kind in zip(self.layouts, self.kinds, strict=True):
            layout.check(name, parameter.shape, kind)


def regime_of(name: str, value: Any, what: str) -> Regime:  # noqa: ANN401  (of the file)
    """[strength, group] or [strength, group, block_shape], groups with + between; `what` names the strength."""
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 3:
        raise CompressionError(f"expected [{what}, group] for {name}, found {value!r}")
    strength, group, *block = value
    kinds = tuple(str(group).split("+"))
    if block and StructureKind.BLOCKS.value not in kinds:
        raise CompressionError(f"expected a third entry for {name} with Blocks alone, found {value!r}")
    layouts = tuple(layout_of(kind, block[0] if block else None, ranked=False) for kind in kinds)
    return Regime(check_at_least(strength, f"the {what} of {name}"), layouts, kinds)


def above(weight: Tensor, threshold: float, layouts: Sequence[Layout], criterion: str | None) -> Tensor:
    """Booleans of the shape of `weight`: True in groups whose largest or mean magnitude is above the threshold.

    criterion  Max or Mean_Abs, see `CRITERIA`; without layouts each weight is by itself
    """
    if not layouts:
        return weight.abs() > threshold
    found = torch.ones_like(weight, dtype=torch.bool)
    for layout in layouts:
        rows = layout.rows(weight).abs()
        size = rows.amax(1) if criterion == "Max" else rows.mean(1)
        found &= layout.spread(size > threshold, weight.shape)
    return found


def norms(rows: Tensor, order: int) -> Tensor:
    """L1 or L2 norms of (structures, elements) by structure, divided by the number of elements, as Distiller's."""
    found: Tensor = torch.linalg.vector_norm(rows.float(), ord=order, dim=1) / rows.shape[1]
    return found
