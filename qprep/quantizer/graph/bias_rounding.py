"""Biases on the grid that integer runtimes add them on: the product of the scales of a layer's input and weight.

In evaluation the prepared model rounds them as it runs; `convert` rounds them for good. In training they stay as they
are: what rounding adds is far below a level of the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.spec import Granularity, Scheme
from qprep.quantizer.formats.stored import integers
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer, QuantizerMode, TensorQuantizer
from qprep.quantizer.graph.graph_passes import LAYERS
from qprep.quantizer.graph.quantization_graph import Graph, Node
from qprep.quantizer.graph.quantized_module import QuantizedModule
from qprep.quantizer.graph.tensor_leaves import holder
from qprep.quantizer.methods.batchnorm_folding import TRANSPOSED, makes_channels

_LARGEST: Final = 2.0**30  # of a bias in int32


@dataclass(eq=False, slots=True)
class BiasedLayer:
    """A layer whose input, weight and bias are known: what rounds its bias.

    owner  the module that holds weight and bias
    norm   a BatchNorm behind it, whose shift and factor a runtime folds into weight and bias
    axis   the dimension of the weight that channels of the output are along
    known  whether the weight's slot says what grid it rounds to; if not, the values of a converted weight do
    """

    input: TensorQuantizer
    slot: TensorQuantizer
    owner: nn.Module
    weight: Parameter
    bias: str | None
    norm: nn.Module | None
    axis: int
    known: bool

    @property
    def steps(self) -> Tensor | None:
        """s_x s_w as float64, a scalar or one for each channel; None if a runtime has no integer bias."""
        if not _has_one_grid(self.input) or not _rounds(self.slot) or self.input.grid.scale.numel() != 1:
            return None
        found = self.slot.grid.scale if self.known else self._found_scale()
        if found is None:
            return None
        own = wide(found)
        return own.reshape(-1 if own.numel() > 1 else ()) * wide(self.input.grid.scale).reshape(())

    def _found_scale(self) -> Tensor | None:
        """The step of the values of a converted weight, None if it is not converted or on no grid."""
        if not self.slot.flag("finished"):
            return None
        try:
            return integers(self.slot, self.weight)[1].scale
        except QprepError:
            return None


def _has_one_grid(slot: TensorQuantizer) -> bool:
    moving = isinstance(slot, DynamicActivationQuantizer)
    return slot.is_active and not slot.spec.is_float and not moving


def _rounds(slot: TensorQuantizer) -> bool:
    """True if a weight is used as integers, rounded now or for good, one scale a channel at most."""
    kept = slot.spec.is_float or slot.spec.granularity is Granularity.GROUP
    return slot.mode is QuantizerMode.QUANTIZE and slot.flag("started") and not kept


def biased_layers(graph: Graph) -> list[BiasedLayer]:
    """The layers with a bias, or a BatchNorm behind them, that nothing else uses and whose input is quantized."""
    return [found for node in graph.nodes if (found := _biased(node, graph)) is not None]


def _biased(node: Node, graph: Graph) -> BiasedLayer | None:
    weights = [each for each in node.weights if not each.is_bias]
    biases = [each for each in node.weights if each.is_bias]
    if node.name not in LAYERS or node.calls != 1 or len(weights) != 1 or len(biases) > 1 or not node.inputs:
        return None
    given = node.inputs[0].slot_at(node) if node.reads is None else None
    slot, norm = weights[0].quantizer, _norm_behind(node, graph)
    if given is None or slot is None or node.sums is not None:
        return None
    if not given.declares_grid():
        return None
    own_format = any(each.quantizer is not None for each in biases)
    if (not biases or own_format) and norm is None:
        return None
    if any(sum(each in other.weights for other in graph.nodes) > 1 for each in node.weights):
        return None
    owner, _ = weights[0].owners[0]
    if any(each.owners[0][0] is not owner for each in biases):
        return None
    bias = biases[0].owners[0][1] if biases else None
    axis = 1 if node.name in TRANSPOSED else 0
    return BiasedLayer(given, slot, owner, weights[0].parameter, bias, norm, axis, slot.declares_grid())


def _norm_behind(node: Node, graph: Graph) -> nn.Module | None:
    out = node.outputs[0]
    following = graph.only_consumer(out) if len(node.outputs) == 1 and out.spec is None else None
    if following is None or not following.alone or following.calls != 1 or not isinstance(following.module, _BatchNorm):
        return None
    return following.module if makes_channels(node) and following.module.running_var is not None else None


class RoundedBias(nn.Module):
    """Rounds the bias of a layer in evaluation."""

    def __init__(self, layer: BiasedLayer) -> None:
        super().__init__()
        self._layer = (layer,)  # its slots are children of other modules

    def forward(self, bias: Tensor) -> Tensor:
        """On the grid, with the gradient of `bias`; as it is in training and where there is no grid."""
        step = None if self.training else self._layer[0].steps
        if step is None or step.numel() not in (1, bias.numel()):
            return bias
        return bias + (_rounded(bias.detach(), step) - bias.detach())


class RoundedShift:
    """A hook of the BatchNorm behind a layer: in evaluation what it adds to each channel is on the grid.

    folded  whether the layer runs with the quantized values of w γ/σ, and not of w
    """

    def __init__(self, layer: BiasedLayer, folded: bool = False) -> None:
        self.layer, self.folded = layer, folded

    def __call__(self, norm: nn.Module, _args: object, out: Tensor) -> Tensor | None:
        """The result, moved by less than half a step a channel."""
        if norm.training:
            return None
        moved = self.shift()
        return None if moved is None else out + moved.to(out.dtype).reshape(-1, *[1] * (out.dim() - 2))

    @torch.no_grad()
    def shift(self) -> Tensor | None:
        """The distance of each channel from the grid, as float64."""
        found, step = _shift_of(self.layer), self.layer.steps
        if found is None or step is None:
            return None
        shift, factor = found
        if not self.folded:
            if not _may_fold(factor, self.layer):
                return None
            step = step * torch.where(factor == 0, torch.ones_like(factor), factor.abs())
        if step.numel() not in (1, shift.numel()):
            return None
        moved = _rounded(shift, step) - shift
        return moved if self.folded else moved * _folds(factor, self.layer)


def install(layers: list[BiasedLayer], model: nn.Module, folded: set[Parameter] | None = None) -> None:
    """Let `model` round the biases of these layers as it runs in evaluation.

    folded  weights that are quantized with their BatchNorm folded into them
    """
    for layer in layers:
        if layer.norm is not None:
            layer.norm.register_forward_hook(RoundedShift(layer, layer.weight in (folded or set())))
            continue
        for module in model.modules():
            if isinstance(module, QuantizedModule) and holder(module.module) is layer.owner and layer.bias is not None:
                module.weights[layer.bias] = RoundedBias(layer).train(module.training)


@torch.no_grad()
def finish(model: nn.Module) -> None:
    """Round for good, in a converted model: parameters hold what was rounded in each forward."""
    for norm in [each for each in model.modules() if isinstance(each, _BatchNorm)]:
        for key, hook in list(norm._forward_hooks.items()):  # noqa: SLF001
            if isinstance(hook, RoundedShift):
                del norm._forward_hooks[key]  # noqa: SLF001
                _move(norm, hook)
    for module in [each for each in model.modules() if isinstance(each, QuantizedModule)]:
        for name, slot in list(module.weights.items()):
            if isinstance(slot, RoundedBias):
                _finish_bias(module, name, slot)


@torch.no_grad()
def finish_folded(layer: BiasedLayer) -> None:
    """Round the bias of a converted layer that a BatchNorm was folded into."""
    bias, step = layer.owner._parameters["bias"], layer.steps  # noqa: SLF001
    if bias is not None and step is not None and step.numel() in (1, bias.numel()):
        bias.copy_(_rounded(bias, step))


def _finish_bias(module: QuantizedModule, name: str, slot: RoundedBias) -> None:
    parameter = holder(module.module)._parameters[name]  # noqa: SLF001
    assert parameter is not None  # noqa: S101  (it was there when the slot was made)
    parameter.copy_(slot.eval()(parameter))
    del module.weights[name]


def _move(norm: _BatchNorm, hook: RoundedShift) -> None:
    moved = hook.shift()
    if moved is None:
        return
    if norm.affine:
        norm.bias.copy_(wide(norm.bias) + moved)
    elif norm.running_mean is not None and norm.running_var is not None:  # the mean takes what there is no shift for
        norm.running_mean.sub_(moved / torch.rsqrt(wide(norm.running_var) + norm.eps))


def _shift_of(layer: BiasedLayer) -> tuple[Tensor, Tensor] | None:
    """The constant that layer and BatchNorm add to each channel, and γ/σ, in float64; None without statistics."""
    norm = layer.norm
    if not isinstance(norm, _BatchNorm) or norm.running_var is None or norm.running_mean is None:
        return None
    factor = torch.rsqrt(wide(norm.running_var) + norm.eps)
    factor = factor * wide(norm.weight) if norm.affine else factor
    shift = -wide(norm.running_mean) * factor
    shift = shift + wide(norm.bias) if norm.affine else shift
    bias = None if layer.bias is None else layer.owner._parameters[layer.bias]  # noqa: SLF001
    return (shift if bias is None else shift + wide(bias) * factor), factor


def _may_fold(factor: Tensor, layer: BiasedLayer) -> bool:
    """True if a BatchNorm's factor can go into the integers' scales: symmetric ones, one for all or one a channel."""
    if not layer.known:
        return False
    grid = layer.slot.grid
    symmetric = layer.slot.spec.scheme is not Scheme.ASYMMETRIC
    return symmetric and grid.scale.numel() in (1, factor.numel()) and grid.axis in (None, layer.axis)


def _folds(factor: Tensor, layer: BiasedLayer) -> Tensor:
    """True if it does: the smallest integer has no negative, which a factor below 0 would need."""
    grid = layer.slot.grid
    if -grid.low <= grid.high:
        return torch.ones((), dtype=torch.bool, device=factor.device)
    scale = grid.scale if grid.axis is None else grid.scale.reshape(_along(grid.axis, layer.weight.dim()))
    lowest: Tensor = layer.slot(layer.weight.detach()) <= (grid.low + 0.5) * scale
    return ~((factor < 0).any() & lowest.any())


def _along(axis: int, dims: int) -> list[int]:
    return [-1 if place == axis else 1 for place in range(dims)]


def wide(values: Tensor) -> Tensor:
    """In float64, where the device has that."""
    return values.float() if values.device.type == "mps" else values.double()


def _rounded(values: Tensor, step: Tensor) -> Tensor:
    """Multiples of `step`, or of a coarser one where an int32 would not hold them."""
    given = wide(values)
    used = torch.maximum(step.expand_as(given), given.abs() / _LARGEST)
    return torch.where(used > 0, torch.round(given / used) * used, given).to(values.dtype)
