"""Operations that mix channels, or of which nothing is known: what goes in stays."""

from __future__ import annotations

import torch
from torch import Tensor

from qprep.compression.structure.labels import Layers, core, varying
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.compression.structure.store import DimensionRole


def mix(state: LabelState, step: LabelStep) -> None:
    """Freeze the channels of all inputs; the outputs are in none."""
    found = [layer for each in step.inputs for layer in state.layers(each)]
    if found:
        state.store.freeze(found, state.cause(f"{step.call.name} is not known to keep channels apart"))
    for tensor in step.inputs:
        if state.name_of(tensor) is not None and tensor.dim() > 1:  # a weight: its outputs are in the notes
            state.mark(_rows(state.layers(tensor)), DimensionRole.MAKES)
    for tensor in (*step.outputs, *(step.inputs[:1] if step.call.in_place or step.out is None else ())):
        state.set(tensor, ())


def _rows(layers: Layers) -> Tensor:
    return next((core(layer) for layer in layers if 0 in varying(layer)), torch.zeros(1, dtype=torch.int64))


def new(state: LabelState, step: LabelStep) -> None:
    """The outputs are in no channel."""
    for output in step.outputs:
        state.set(output, ())
