"""Labels of channels: int64 tensors that say, for each element of a tensor, which channel it belongs to.

One such tensor is a layer. An element can be in a layer for each dimension of a weight: in a channel of its outputs and
in one of its inputs. In a layer

    l > 0   the element is in channel l, and it is exactly 0 where that channel is masked
    l < 0   it is in channel -l, and masking leaves some other value there (sigmoid(0) is 0.5)
    0       it is in no channel

Layers have the shape of their tensor; along dimensions where labels do not change they are expanded views.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

Layers = tuple[Tensor, ...]


def core(layer: Tensor) -> Tensor:
    """`layer` with size 1 along the dimensions that it is expanded along."""
    for dim, (size, stride) in enumerate(zip(layer.shape, layer.stride(), strict=True)):
        if stride == 0 and size > 1:
            layer = layer.narrow(dim, 0, 1)
    return layer


def compact(layer: Tensor) -> Tensor:
    """The same labels as an expanded view of as few as there are; of no elements, as it is."""
    if layer.numel() == 0:
        return layer
    small = core(layer)
    for dim, size in enumerate(small.shape):
        if size > 1:
            first = small.narrow(dim, 0, 1)
            if bool((small == first).all()):
                small = first
    return small.contiguous().expand(layer.shape)


def varying(layer: Tensor) -> tuple[int, ...]:
    """The dimensions along which the labels of a compact layer change."""
    return tuple(
        dim for dim, (size, stride) in enumerate(zip(layer.shape, layer.stride(), strict=True)) if size > 1 and stride
    )


def spread(vector: Tensor, shape: Sequence[int], dim: int) -> Tensor:
    """A layer of `shape` whose labels along `dim` are `vector`."""
    size = [1] * len(shape)
    size[dim] = -1
    return vector.reshape(size).expand(tuple(shape))


def spread_core(small: Tensor, shape: Sequence[int]) -> Tensor:
    """A layer of `shape` out of its core."""
    return small.expand(tuple(shape))


def dirty(layer: Tensor) -> Tensor:
    """The same channels, of which masking leaves some other value than 0."""
    return core(layer).abs().neg().expand(layer.shape)


def joined(first: Tensor, second: Tensor) -> Tensor:
    """The labels of channels that both have; 0 on masking only if it is so in both."""
    label = torch.where(first == 0, second.abs(), first.abs())
    return torch.where((first < 0) | (second < 0), -label, label)


def distinct(layers: Iterable[Tensor]) -> Tensor:
    """All channels in `layers`, sorted, without 0."""
    parts = [core(layer).reshape(-1).abs() for layer in layers]
    if not parts:
        return torch.empty(0, dtype=torch.int64)
    found = unique(torch.cat(parts))
    return found[found > 0]


def axis_of(layer: Tensor, dim: int) -> tuple[Tensor, Tensor | None]:
    """The label of each position along `dim`, and pairs of labels, shape (2, n), that differ over the rest; None: none.

    A position is 0 on masking only where all its elements are.
    """
    small = core(layer)
    table = small.movedim(dim, 0).reshape(small.shape[dim], -1)
    table = table.expand(layer.shape[dim], -1)
    first = table[:, 0]
    if table.shape[1] == 1:
        return first.clone(), None
    different = (table.abs() != first.abs()[:, None]).nonzero()
    rows, columns = different[:, 0], different[:, 1]
    pairs = torch.stack([first.abs()[rows], table.abs()[rows, columns]]) if len(different) else None
    largest = table.abs().amax(1)
    return torch.where((table < 0).any(1), -largest, largest), pairs


def unique(values: Tensor) -> Tensor:
    """The distinct values, sorted."""
    found: Tensor = values.unique()  # type: ignore[no-untyped-call]
    return found
