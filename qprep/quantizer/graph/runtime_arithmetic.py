# ruff: noqa: ANN401 -- arguments and results of any module
"""The arithmetic of ONNX Runtime's integer kernels, in a converted model: the same integers, to the last one.

A float computation of a layer rounds its sum many times. About one value of 10^5 is so close to the middle between two
levels that this moves it to the other one, and a network may amplify the difference. Kernels for integers sum
exactly, and scale once, in float32:

- a layer, QLinearConv and QGemm: round(float32(sum) · (s_x s_w / s_y)), where the bias is part of the sum;
- a product of two tensors, QLinearMul: round(a b · (s_a s_b / s_c) + z_c) - z_c;
- what comes in float, QuantizeLinear: round(x / s), where torch multiplies by 1 / s.

Kernels for sums of two tensors differ from processor to processor. Sums are left as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from qprep.quantizer.formats.affine import QParams, dequantize, quantize
from qprep.quantizer.formats.spec import Granularity
from qprep.quantizer.formats.stored import integers, per_element
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer, TensorQuantizer
from qprep.quantizer.graph.graph_passes import LAYERS
from qprep.quantizer.graph.model_copies import copy_of
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node
from qprep.quantizer.graph.quantized_module import Arithmetic, QuantizedModule
from qprep.quantizer.graph.tensor_leaves import holder, map_tensors
from qprep.quantizer.methods.batchnorm_folding import TRANSPOSED
from qprep.quantizer.ranges.known_ranges import clamp_range

_EXACT: Final = 2**24  # integers below are exact in float32
_LARGEST: Final = 2**30  # of a bias in int32


@dataclass(eq=False, slots=True)
class IntegerSums:
    """A convolution or linear layer.

    wide  whether its sums may leave the integers that float32 holds
    """

    input: TensorQuantizer
    weight: TensorQuantizer
    output: TensorQuantizer
    wide: bool

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the layer on integers, with integers as weight and bias."""
        kind = torch.float64 if self.wide else torch.float32
        held: dict[str, Any] = holder(module)._parameters  # noqa: SLF001
        before: dict[str, Any] = {name: held[name] for name in ("weight", "bias") if name in held}
        weight, bias = before["weight"].detach(), before.get("bias")
        given, own, made = self.input.grid.scale, self.weight.grid, self.output.grid.scale
        try:
            held["weight"] = torch.round(weight / per_element(own.scale, weight, own)).to(kind)
            if bias is not None:
                held["bias"] = _whole_bias(bias, own.scale, given).to(kind)
            args, kwargs = map_tensors(lambda _, each: _levels(each, given).to(kind), (args, kwargs))
            sums = module(*args, **kwargs).float()
        finally:
            held.update(before)
        factor = (given * own.scale) / made
        if factor.numel() > 1:
            factor = factor.reshape(-1, *[1] * (weight.dim() - 2))
        return torch.round(sums * factor) * made


@dataclass(eq=False, slots=True)
class IntegerProduct:
    """A product of two tensors, by their numbers among the arguments."""

    inputs: dict[int, TensorQuantizer]
    output: TensorQuantizer

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Multiply integers, and scale the product."""

        def levels(index: int, tensor: Tensor) -> Tensor:
            return _levels(tensor, self.inputs[index].grid.scale)

        args, kwargs = map_tensors(levels, (args, kwargs))
        grid = self.output.grid
        one, other = (each.grid.scale for each in self.inputs.values())
        zero = (grid.zero_point - grid.low).float()  # as uint8
        return (torch.round(module(*args, **kwargs) * (one * other / grid.scale) + zero) - zero) * grid.scale


class Divided:
    """A hook of a slot: its result by a division."""

    def __call__(self, slot: TensorQuantizer, args: tuple[Tensor, ...], out: Tensor) -> Tensor | None:
        """The values on the slot's grid."""
        if not slot.is_active or not out.numel() or not out.is_floating_point():
            return None
        return dequantize(quantize(args[0].detach(), slot.grid), slot.grid).to(out.dtype)


def _levels(tensor: Tensor, scale: Tensor) -> Tensor:
    return torch.round(tensor.detach() / scale)


def _whole_bias(bias: Tensor, own: Tensor, given: Tensor) -> Tensor:
    step = (own.double() * given.double()).float()
    return torch.round(bias.detach().double() / step.double())


def follow_runtime(graph: Graph, prepared: nn.Module, converted: nn.Module) -> None:
    """Let the layers and products of `converted`, a copy of `prepared`, compute as ONNX Runtime does.

    Those that its integer kernels take: 8 bits or fewer everywhere, one scale for each tensor of activations, symmetric
    weights, and a slot right behind them or behind clamps.
    """
    paths = {module: path for path, module in prepared.named_modules()}
    copies = dict(converted.named_modules())
    for slot in converted.modules():
        if isinstance(slot, TensorQuantizer) and _is_fixed(slot) and not slot.flag("finished"):
            slot.register_forward_hook(Divided())
    for node in graph.nodes:
        wrapped = next((each for each in _around(prepared, node.module)), None)
        copied = None if wrapped is None else copies.get(paths[wrapped])
        found = _slots_of(node, graph)
        if not isinstance(copied, QuantizedModule) or found is None or node.calls != 1 or copied.sums or copied.given:
            continue
        slots = [copies.get(paths.get(each, "?")) for each in found]
        known = [each for each in slots if isinstance(each, TensorQuantizer) and _is_narrow(each)]
        if len(known) == len(slots) and _is_implied(node, graph, known[-1].grid):
            copied.arithmetic = _arithmetic(node, copied, known)


def in_float(model: nn.Module) -> nn.Module:
    """`model`, or a copy that computes in float if it follows a runtime."""
    if not any(isinstance(each, QuantizedModule) and each.arithmetic for each in model.modules()):
        return model
    made = copy_of(model, model)
    for each in made.modules():
        if isinstance(each, QuantizedModule):
            each.arithmetic = None
        for key, hook in list(each._forward_hooks.items()):  # noqa: SLF001
            if isinstance(hook, Divided):
                del each._forward_hooks[key]  # noqa: SLF001
    return made


def _around(model: nn.Module, module: nn.Module) -> Iterator[QuantizedModule]:
    return (each for each in model.modules() if isinstance(each, QuantizedModule) and each.module is module)


def _is_fixed(slot: TensorQuantizer) -> bool:
    is_known = slot.flag("started") and slot.declares_grid() and not hasattr(slot, "onnx_form")
    return is_known and not slot.spec.is_float and not isinstance(slot, DynamicActivationQuantizer)


def _is_narrow(slot: TensorQuantizer) -> bool:
    return _is_fixed(slot) and slot.spec.limits[1] - slot.spec.limits[0] < 2**8


def _slots_of(node: Node, graph: Graph) -> list[TensorQuantizer] | None:
    """The slots of what a node reads, of its weight, and of what it gives; None if one of them is missing."""
    if not node.alone or node.reads is not None or node.sums is not None or len(node.outputs) != 1:
        return None
    out = _slot_behind(node.outputs[0], graph)
    given = [edge.slot_at(node) for edge in node.places.values()]
    if node.name == "mul":
        found = [*given, out] if len(given) == 2 and not node.weights else []
    else:
        weights = [each for each in node.weights if not each.is_bias]
        is_layer = node.name in LAYERS and node.name not in TRANSPOSED and len(weights) == len(given) == 1
        own_format = any(each.is_bias and each.quantizer is not None for each in node.weights)
        found = [*given, weights[0].quantizer, out] if is_layer and not own_format else []
    slots = [each for each in found if each is not None]
    return slots if len(slots) == len(found) == 3 else None


def _slot_behind(edge: Edge, graph: Graph) -> TensorQuantizer | None:
    """The slot of a tensor, or of what clamps make of it and nothing else reads."""
    if edge.spec is not None:
        return edge.quantizer if edge.readers is None and not edge.inherits else None
    clamp = _clamp_behind(edge, graph)
    return None if clamp is None else _slot_behind(clamp.outputs[0], graph)


def _clamp_behind(edge: Edge, graph: Graph) -> Node | None:
    """The clamp between a tensor and its slot."""
    following = graph.only_consumer(edge) if edge.spec is None else None
    if following is None or clamp_range(following) is None or following.calls != 1 or len(following.outputs) != 1:
        return None
    return following


def _is_implied(node: Node, graph: Graph, grid: QParams) -> bool:
    """True if a grid ends where the clamps before it do: runtimes then leave them out, and join the layer with it."""
    low, high = ((bound - int(grid.zero_point)) * float(grid.scale) for bound in (grid.low, grid.high))
    clamp = _clamp_behind(node.outputs[0], graph)
    while clamp is not None:
        bounds = clamp_range(clamp)
        if bounds is None or bounds[0] > low or bounds[1] < high:
            return False
        clamp = _clamp_behind(clamp.outputs[0], graph)
    return True


def _arithmetic(node: Node, copied: QuantizedModule, slots: list[TensorQuantizer]) -> Arithmetic | None:
    one, other, out = slots
    if node.name == "mul":
        return IntegerProduct(dict(zip(sorted(node.places), _in_order(node, one, other), strict=True)), out)
    held = holder(copied.module)._parameters  # noqa: SLF001
    weight, bias = held.get("weight"), held.get("bias")
    if weight is None or weight.dtype != torch.float32 or not other.flag("finished"):
        return None
    if one.spec.granularity is not Granularity.TENSOR or other.spec.granularity is Granularity.GROUP:
        return None
    ints, params = integers(other, weight)
    on_grid = torch.equal(params.scale, other.grid.scale) and not bool(params.zero_point.any())
    if not on_grid or params.axis not in (None, 0):
        return None
    whole = None if bias is None else _whole_bias(bias, params.scale, one.grid.scale).abs()
    if whole is not None and float(whole.max()) >= _LARGEST:
        return None
    return IntegerSums(one, other, out, _largest_sum(ints, whole, one) >= _EXACT)


def _in_order(node: Node, one: TensorQuantizer, other: TensorQuantizer) -> Iterable[TensorQuantizer]:
    """The slots of a product's factors by their place among the arguments."""
    places = list(node.places)
    return (one, other) if places == sorted(places) else (other, one)


def _largest_sum(ints: Tensor, bias: Tensor | None, given: TensorQuantizer) -> float:
    """A bound for the sums of a layer: of the absolute values of all that is added."""
    grid = given.grid
    largest = max(abs(grid.low - int(grid.zero_point)), abs(grid.high - int(grid.zero_point)))
    sums = ints.double().abs().flatten(1).sum(1) * largest
    return float((sums if bias is None else sums + bias).max())
