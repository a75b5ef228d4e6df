"""The simulation of a file whose recurrent layers are one operator each: without the slots inside them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from torch import nn

from qprep.quantizer.formats.tensor_quantizers import QuantizerMode, TensorQuantizer
from qprep.quantizer.graph.model_copies import copy_of


def as_written(model: nn.Module, layers: Mapping[str, Sequence[TensorQuantizer | None]]) -> nn.Module:
    """A copy of `model` in which the recurrent layers at these paths compute in float; itself if there are none.

    layers  for each the slots of what it returns, one a call; None where the file has none

    Slots of their parameters stay, which `convert` has turned off.
    """
    if not layers:
        return model
    made = copy_of(model, model)
    for path, module in made.named_modules():
        if _plain(path) in layers and isinstance(module, nn.RNNBase):
            for slot in module.modules():
                if isinstance(slot, TensorQuantizer):
                    slot.mode = QuantizerMode.OFF
            module.register_forward_hook(_Returned(layers[_plain(path)]))
    return made


class _Returned:
    """A hook that quantizes the output of a recurrent layer, call by call."""

    def __init__(self, slots: Sequence[TensorQuantizer | None]) -> None:
        self._slots = cycle([copy.deepcopy(slot) for slot in slots])

    def __call__(self, _layer: nn.Module, _args: object, out: tuple[Any, Any]) -> tuple[Any, Any]:
        slot = next(self._slots)
        return out if slot is None else (slot(out[0]), out[1])


def _plain(path: str) -> str:
    return ".".join(part for part in path.split(".") if part != "module")
