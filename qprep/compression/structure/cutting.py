"""Cutting tensors: parameters and buffers without some positions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from qprep.compression.structure.structure_errors import StructureError

Cuts = Mapping[tuple[str, int], Tensor]  # by (tensor, dim), the sorted positions that go


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, without gradients."""
    named = (*model.named_parameters(), *model.named_buffers())
    return {name: tensor.detach() for name, tensor in named}


def emptied_by(tensors: Mapping[str, Tensor], cuts: Cuts) -> list[tuple[str, int]]:
    """The (tensor, dim) that would keep no position, in order."""
    return [(name, dim) for (name, dim), gone in cuts.items() if not bool(_stays(tensors[name].shape[dim], gone).any())]


def kept_of(tensors: Mapping[str, Tensor], cuts: Cuts) -> dict[str, dict[int, Tensor]]:
    """By tensor and dimension, the positions that stay; StructureError if none would."""
    found: dict[str, dict[int, Tensor]] = {}
    for (name, dim), gone in cuts.items():
        size = tensors[name].shape[dim]
        stays = _stays(size, gone)
        if not bool(stays.any()):
            raise StructureError(f"expected at least one channel of {name} to stay, found all {size} to be removed")
        found.setdefault(name, {})[dim] = stays.nonzero().flatten()
    return found


def _stays(size: int, gone: Tensor) -> Tensor:
    stays = torch.ones(size, dtype=torch.bool)
    stays[gone] = False
    return stays


def cut(tensor: Tensor, kept: Mapping[int, Tensor]) -> Tensor:
    """`tensor` with only the positions `kept` along each dimension, in memory of its own and in its memory format."""
    layout = _memory_format(tensor)
    for dim, positions in kept.items():
        tensor = tensor.index_select(dim, positions.to(tensor.device))
    return tensor.clone() if not kept else tensor.contiguous(memory_format=layout)


def _memory_format(tensor: Tensor) -> torch.memory_format:
    """Channels last for a tensor that is in it and not in the usual format as well."""
    if not tensor.is_contiguous():
        for dims, layout in ((4, torch.channels_last), (5, torch.channels_last_3d)):
            if tensor.dim() == dims and tensor.is_contiguous(memory_format=layout):
                return layout
    return torch.contiguous_format


def cut_all(tensors: Mapping[str, Tensor], kept: Mapping[str, Mapping[int, Tensor]]) -> dict[str, Tensor]:
    """The tensors that change."""
    return {name: cut(tensors[name], positions) for name, positions in kept.items()}
