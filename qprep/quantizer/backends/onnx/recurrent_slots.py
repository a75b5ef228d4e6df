"""The simulation of a file whose recurrent layers are one operator each: without the slots inside them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qprep.quantizer.formats.tensor_quantizers import QuantizerMode, TensorQuantizer
from qprep.quantizer.graph.model_copies import copy_of
from qprep.quantizer.graph.quantized_module import QuantizedModule


def as_written(model: nn.Module, layers: Sequence[str]) -> nn.Module:
    """A copy of `model` in which the recurrent layers at these paths compute in float; itself if there are none.

    Slots of their parameters stay, which `convert` has turned off, and so do those that quantize what they return.
    """
    if not layers:
        return model
    made = copy_of(model, model)
    for path, module in made.named_modules():
        if _plain(path) in layers and isinstance(module, nn.RNNBase):
            for slot in _inside(module):
                slot.mode = QuantizerMode.OFF
    return made


def _inside(layer: nn.RNNBase) -> list[TensorQuantizer]:
    """Slots of stages, except for those that join the steps of the last layer."""
    last = f"stages.l{layer.num_layers - 1}"
    kept = {
        slot
        for path, module in layer.named_modules()
        if path.startswith(last) and path.endswith("time_concat") and isinstance(module, QuantizedModule)
        for slot in module.modules()
    }
    return [each for each in layer.modules() if isinstance(each, TensorQuantizer) and each not in kept]


def _plain(path: str) -> str:
    return ".".join(part for part in path.split(".") if part != "module")
