"""Turns a plan into modules: makes the quantizers, and wraps or replaces what they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from torch import nn

from qprep.quantizer.config.config_settings import Overrides
from qprep.quantizer.formats.spec import Granularity, Spec
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.module_registry import ReplacementFactory
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node, Weight
from qprep.quantizer.graph.quantized_module import wrapper_of
from qprep.quantizer.graph.tensor_leaves import holder

_TRANSPOSED: Final = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


class Maker(Protocol):
    """The methods that insertion needs of a quantizer."""

    replacement_factory: ReplacementFactory
    settings: Overrides
    quantizes_vectors: bool

    def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:
        """Return the quantizer of the tensor of `edge`."""

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:
        """The tensor quantizer of a parameter."""


class _Slots:
    """The quantizers of one module, before it is wrapped."""

    def __init__(self) -> None:
        self.weights: dict[str, nn.Module] = {}
        self.inputs: dict[int, nn.Module] = {}
        self.outputs: dict[int, nn.Module] = {}
        self.given: dict[int, nn.Module] = {}
        self.sums: nn.Module | None = None


def insert_quantizers(graph: Graph, maker: Maker) -> None:
    """Make a quantizer for each shared scale and each parameter, and put them around the modules of the model."""
    replaced = {node.module for node in graph.nodes if _replace(node, graph, maker)}
    slots: dict[nn.Module, _Slots] = {}

    def of(module: nn.Module) -> _Slots:
        return slots.setdefault(module, _Slots())

    _place_activations(graph, maker, of)
    _place_inner(graph, maker, of)
    _place_weights(graph, maker, of)
    for module, found in slots.items():
        if module not in replaced:
            parts = (found.weights, found.inputs, found.outputs, found.given)
            graph.replace_module(module, wrapper_of(module)(module, *parts, sums=found.sums))


def _replace(node: Node, graph: Graph, maker: Maker) -> bool:
    if not node.owned or maker.settings.bars(node.path):
        return False
    made = maker.replacement_factory.replace(node.module, node.path, graph.settings(node.path))
    if made is None:
        return False
    graph.replace_module(node.module, made)
    return True


def _place_activations(graph: Graph, maker: Maker, of: Callable[[nn.Module], _Slots]) -> None:
    made: dict[Edge, TensorQuantizer] = {}
    for edge in graph.edges:
        if edge.spec is None or edge.inherits:
            continue
        leader = edge.leader
        if leader not in made:
            made[leader] = maker.make_activation_quantizer(leader, edge.spec, _name(edge)).to(edge.device)
        edge.quantizer = leader.quantizer = made[leader]
        if edge.producer is not None and edge.readers is None:
            of(edge.producer.module).outputs[edge.index] = made[leader]
            continue
        for node in edge.consumers if edge.readers is None else edge.readers:
            if node.treatment != "float":
                of(node.module).inputs |= {at: made[leader] for at, each in node.places.items() if each is edge}


def _place_inner(graph: Graph, maker: Maker, of: Callable[[nn.Module], _Slots]) -> None:
    for node in graph.nodes:
        device = node.outputs[0].device if node.outputs else None
        if node.reads is not None:
            for at, edge in node.places.items():
                if edge.floating:
                    slot = maker.make_activation_quantizer(_own(edge), node.reads, f"{node.path}.input {at}")
                    of(node.module).inputs[at] = slot.to(device)
        if node.sums is not None:
            slot = maker.make_activation_quantizer(_own(node.outputs[0]), node.sums, f"{node.path}.accumulator")
            of(node.module).sums = slot.to(device)


def _own(edge: Edge) -> Edge:
    """An edge with a range of its own, next to `edge`."""
    return Edge(edge.producer, edge.index, device=edge.device)


def _name(edge: Edge) -> str:
    return f"input {edge.index}" if edge.producer is None else edge.producer.path


def _place_weights(graph: Graph, maker: Maker, of: Callable[[nn.Module], _Slots]) -> None:
    for weight in graph.weights:
        users = [node for node in graph.nodes if weight in node.weights]
        spec = weight_spec(weight, users, graph)
        is_vector = weight.parameter.dim() < 2 and not weight.is_bias
        if spec is None or (is_vector and not maker.quantizes_vectors):
            continue
        weight.rows_to = _output_of_rows(weight, users)
        quantizer = maker.make_weight_quantizer(weight, spec, weight.name)
        quantizer.take_shape(weight.parameter)
        quantizer = quantizer.to(weight.parameter.device)
        weight.quantizer = quantizer
        for module, name in weight.owners:
            of(module).weights[name] = quantizer
        for node in users:
            of(node.module).given |= {at: quantizer for at, each in node.given.items() if each is weight}
            tied_to = holder(node.module)
            if tied_to is not node.module:
                of(node.module).weights |= {name: quantizer for module, name in weight.owners if module is tied_to}


def _output_of_rows(weight: Weight, users: list[Node]) -> TensorQuantizer | None:
    """The quantizer of the output of an embedding; None if other operations use the parameter as well."""
    if len(users) != 1 or weight.parameter.dim() != 2 or len(users[0].outputs) != 1:
        return None
    (node,) = users
    layer = node.module
    looks_up = node.name == "embedding" or isinstance(layer, nn.Embedding)
    if not looks_up or getattr(layer, "max_norm", None) is not None:
        return None
    edge = node.outputs[0]
    return None if edge.inherits or edge.readers is not None else edge.leader.quantizer


def weight_spec(weight: Weight, users: list[Node], graph: Graph) -> Spec | None:
    """A parameter's format: None if it belongs to nothing that ran, to what stays in float, or to a computed one.

    So do BatchNorm's: they end up in the scales of the layer before.
    """
    if any(node.name == "batch_norm" for node in users):
        return None
    if any(node.treatment == "float" for node in users) or weight.parameter.dim() == 0:
        return None
    if weight.part_of is not None or (not users and not graph.ran(weight.path)):
        return None
    settings = graph.settings(weight.name)
    if weight.is_bias:
        return settings.bias
    spec = settings.weights(_outputs_of(weight, users), weight.parameter.dim())
    in_batches = weight.columns and weight.parameter.dim() > 2
    if spec is not None and in_batches and spec.granularity is Granularity.CHANNEL:
        return replace(spec, granularity=Granularity.TENSOR)  # no kernel has scales for products in batches
    return spec


def _outputs_of(weight: Weight, users: list[Node]) -> int:
    """The dimension of a parameter that the channels of the output are along."""
    if weight.columns:
        return weight.parameter.dim() - 1
    return int(any(node.op is not None and node.op.name in _TRANSPOSED for node in users))
