"""Dynamic quantization without a trace: chosen modules of any model, prepared or not, in one line."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.config.config_settings import LayerSettings
from qprep.quantizer.config.short_forms import selected, type_names
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer, QuantizerMode, WeightQuantizer
from qprep.quantizer.graph.quantized_module import wrapper_of

_DEFAULT: Final = (nn.Linear, nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)  # torch.ao's
_BITS: Final[Mapping[torch.dtype, int | str]] = {
    torch.qint8: 8,
    torch.int8: 8,
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}


def quantize_dynamic(
    model: nn.Module,
    types: Iterable[type[nn.Module]] | None = None,
    dtype: torch.dtype = torch.qint8,
    inplace: bool = False,
) -> nn.Module:
    """Return a copy of `model` with quantized modules of `types`; inputs are quantized by their range in each run.

    types    classes of modules, with subclasses; by default torch.ao's: nn.Linear and the recurrent layers
    dtype    torch.qint8 (or int8): weights with one scale a channel, inputs 8 bits; torch.float16, torch.bfloat16:
             weights alone
    inplace  change `model` itself

    The model need not be prepared, and no example input is needed. `write_onnx(quantized, path, inputs)` exports it.
    Raises QprepError for another dtype, for classes without a module in the model, and for modules without weights.
    """
    if dtype not in _BITS:
        known = ", ".join(map(str, _BITS))
        raise QprepError(f"expected a dtype of weights among {known}, found {dtype}")
    made = model if inplace else copy.deepcopy(model)
    made.eval()
    present = {base for module in made.modules() for base in type(module).__mro__}
    names = type_names([each for each in _DEFAULT if each in present] if types is None else types, made)
    chosen = selected(made, names)
    layers = {path: module for path, module in made.named_modules() if path in chosen and _weights(module)}
    if not layers:
        raise QprepError(f"expected modules with weights of the types {', '.join(names)}, found none")
    replaced = {module: _quantized(module, path, _BITS[dtype]) for path, module in layers.items()}
    for holder in list(made.modules()):
        for name, child in list(holder._modules.items()):  # noqa: SLF001
            if child in replaced and holder is not replaced[child]:
                holder.register_module(name, replaced[child])
    return replaced.get(made, made)


def _weights(module: nn.Module) -> dict[str, nn.Parameter]:
    """Its own matrices."""
    held = module.named_parameters(recurse=False)
    return {name: each for name, each in held if each.dim() > 1 and "bias" not in name and each.is_floating_point()}


def _quantized(module: nn.Module, path: str, bits: int | str) -> nn.Module:
    """The module, its weights rounded, its first input on a grid of its own; indices pass as they are."""
    settings = LayerSettings(bits_activations=bits, bits_weights=bits)
    slots = {}
    for name, parameter in _weights(module).items():
        spec = settings.weights(0, parameter.dim())
        assert spec is not None  # noqa: S101  (bits are given)
        slot = slots[name] = WeightQuantizer(f"{path}.{name}".strip("."), spec).to(parameter.device)
        slot.fit(parameter)
        with torch.no_grad():
            parameter.copy_(slot.quantize(parameter))
        slot.mode = QuantizerMode.OFF
    reads: dict[int, nn.Module] = {}
    if isinstance(bits, int):
        reads[0] = DynamicActivationQuantizer(f"{path}.input 0".strip("."), Spec(bits))
    return wrapper_of(module)(module, slots, reads).eval()
