"""Channels that masks leave at a constant: what the next layers make of it goes into their biases.

A filter of zeros in front of a BatchNorm gives β - γμ/σ in evaluation mode, not 0. A layer that reads such a channel
adds the same number to each of its outputs, so that its bias, or the running mean of the BatchNorm behind it, takes the
channel's place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from qprep.compression.structure.gate import ModelArguments
from qprep.compression.structure.labels import unique
from qprep.compression.structure.model import Groups, Removal
from qprep.compression.structure.running import outputs
from qprep.compression.structure.structure_errors import ThinningError

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(eq=False, slots=True)
class _ReadingLayer:
    """A layer that reads channels which go: their positions, the constant of each, the BatchNorm behind it."""

    path: str
    layer: nn.Linear | _ConvNd
    gone: Tensor
    constants: Tensor | None = None
    norm: str | None = None
    output: Tensor | None = None


def folded(
    found: Groups, removal: Removal, tensors: Mapping[str, Tensor], arguments: ModelArguments
) -> dict[str, Tensor]:
    """Biases and running means, by name, that take the place of the constants of channels which go.

    tensors  parameters and buffers by name, masked

    Raises ThinningError, with the layer, where a channel is not the same number everywhere, where a layer pads it with
    zeros, and where there is neither a bias nor a BatchNorm behind the layer.
    """
    readers = _readers(found, removal)
    _watch(found, readers, tensors, arguments)
    changed: dict[str, Tensor] = {}
    for each in readers:
        if each.constants is None or not bool(each.constants.any()):
            continue
        weight = tensors[f"{each.path}.weight"]
        added = weight[:, each.gone.to(weight.device)].flatten(2).sum(2) if weight.dim() > 2 else weight[:, each.gone]
        name, sign = _place(each, tensors)
        changed[name] = changed.get(name, tensors[name]) + sign * (added @ each.constants.to(added.dtype))
    return changed


def _readers(found: Groups, removal: Removal) -> list[_ReadingLayer]:
    """Layers that read channels of `removal`; other uses of them are left to the gate."""
    gone: dict[str, list[Tensor]] = {}
    for name, numbers in removal.items():
        rows = torch.tensor(sorted(numbers), dtype=torch.int64)
        for slot in found.family(name).slots:
            if not slot.masked and slot.dim == 1:
                gone.setdefault(slot.tensor, []).append(slot.index[rows].flatten())
    made = []
    for path, module in found.model.named_modules():
        parts = gone.get(f"{path}.weight")
        if parts and isinstance(module, _LAYERS) and getattr(module, "groups", 1) == 1:
            made.append(_ReadingLayer(path, module, unique(torch.cat(parts))))
    return made


def _watch(
    found: Groups, readers: list[_ReadingLayer], tensors: Mapping[str, Tensor], arguments: ModelArguments
) -> None:
    """Run the masked model and take what each reader is given."""
    seen = _Seen(readers)
    try:
        seen.hook(found.model)
        outputs(found.model, tensors, {}, arguments.args, arguments.kwargs)
    finally:
        for handle in seen.handles:
            handle.remove()


@dataclass(eq=False, slots=True)
class _Seen:
    readers: list[_ReadingLayer]
    handles: list[Any] = field(default_factory=list)

    def hook(self, model: nn.Module) -> None:
        """Watch the readers and every BatchNorm."""
        for each in self.readers:
            self.handles.append(
                each.layer.register_forward_hook(lambda _m, args, out, each=each: _take(each, args, out))
            )
        for path, module in model.named_modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None:
                self.handles.append(
                    module.register_forward_pre_hook(lambda _m, args, path=path: self.behind(path, args))
                )

    def behind(self, path: str, args: tuple[Any, ...]) -> None:
        """Note a BatchNorm that takes a reader's output."""
        for each in self.readers:
            if each.output is not None and args and args[0] is each.output:
                each.norm = path


def _take(reader: _ReadingLayer, args: tuple[Any, ...], out: object) -> None:
    source = args[0]
    dim = source.dim() - 1 if isinstance(reader.layer, nn.Linear) else source.dim() - (reader.layer.weight.dim() - 1)
    values = source.movedim(dim, 0)[reader.gone.to(source.device)].flatten(1)
    first = values[:, 0]
    if reader.constants is not None and not torch.equal(reader.constants, first):
        raise ThinningError(f"expected the same constants in each run of {reader.path}, found others", reader.path)
    if not bool((values == first[:, None]).all()):
        raise ThinningError(
            f"expected masked channels that are the same number everywhere, found others in {reader.path}", reader.path
        )
    if bool(first.any()) and _pads(reader.layer):
        raise ThinningError(
            f"expected layers without zero padding behind channels of a constant, found {reader.path}", reader.path
        )
    reader.constants, reader.output = first, out if isinstance(out, Tensor) else None


def _pads(layer: nn.Module) -> bool:
    if not isinstance(layer, _ConvNd) or layer.padding_mode != "zeros":
        return False
    if isinstance(layer.padding, str):
        return layer.padding == "same" and any(size > 1 for size in layer.kernel_size)
    return any(layer.padding)


def _place(reader: _ReadingLayer, tensors: Mapping[str, Tensor]) -> tuple[str, int]:
    """The tensor that takes a layer's constant, and with which sign."""
    if f"{reader.path}.bias" in tensors:
        return f"{reader.path}.bias", 1
    if reader.norm is not None:
        return f"{reader.norm}.running_mean", -1
    raise ThinningError(
        f"expected a bias of {reader.path}, or a BatchNorm behind it, to take what masked channels add, found none",
        reader.path,
    )
