"""Folds BatchNorm into the convolution or linear layer before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm

from qprep.quantizer.graph.pattern import Pattern
from qprep.quantizer.graph.quantization_graph import Graph, Node, Weight

TRANSPOSED: Final = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
FOLDABLE: Final = ("linear", "conv1d", "conv2d", "conv3d", *TRANSPOSED)


def fold_batch_norm(graph: Graph) -> None:
    """w' = w γ/σ, b' = (b - μ) γ/σ + β, by the running statistics; BatchNorm becomes Identity.

    Only behind a layer that nothing else reads, whose weight no other layer has, and that takes a bias; and where it
    normalizes the layer's channels, which it does not behind a linear layer on (B, C, features).
    """
    for layer, norm in normalized_layers(graph):
        if _fold(layer, norm, graph):
            graph.remove(norm)
            used = [weight for node in graph.nodes for weight in node.weights]
            graph.weights[:] = [each for each in graph.weights if each not in norm.weights or each in used]


def normalized_layers(graph: Graph) -> Iterator[tuple[Node, Node]]:
    """Each layer that runs once, with the BatchNorm that normalizes its channels by running statistics.

    A BatchNorm is torch.nn's, or an operation that is given its statistics and affine parameters by its caller.
    """
    for layer, norm in Pattern(FOLDABLE, "batch_norm").match(graph):
        if norm.alone and layer.calls == norm.calls == 1 and statistics_of(norm) is not None and makes_channels(layer):
            yield layer, norm


def makes_channels(layer: Node) -> bool:
    """True if dimension 1 of what a layer gives, read as it is, are its channels."""
    edge, weight = layer.outputs[0], next((each for each in layer.weights if not each.is_bias), None)
    return layer.alone and weight is not None and not edge.viewed and edge.dims == weight.parameter.dim()


@dataclass(frozen=True, slots=True)
class NormStatistics:
    """The terms of a BatchNorm, (channels,) each: y = (x - mean) / √(variance + eps) · weight + bias."""

    mean: Tensor
    variance: Tensor
    eps: float
    weight: Tensor | None
    bias: Tensor | None


def statistics_of(norm: Node) -> NormStatistics | None:
    """The running statistics of a BatchNorm; None if it keeps none, or takes those of the batch."""
    module = norm.module
    if isinstance(module, _BatchNorm):
        mean, variance = module.running_mean, module.running_var
        if mean is None or variance is None:
            return None
        return NormStatistics(mean, variance, module.eps, module.weight, module.bias)
    return _given_statistics(norm)


def _given_statistics(norm: Node) -> NormStatistics | None:
    module, given = norm.module, norm.settings
    mean, variance = given.get("running_mean"), given.get("running_var")
    weight, bias = given.get("weight"), given.get("bias")
    eps = getattr(module, "eps", None) if given.get("eps") is None else given["eps"]
    trains = getattr(module, "active", False) if given.get("training") is None else given["training"]
    if trains or not isinstance(mean, Tensor) or not isinstance(variance, Tensor) or not isinstance(eps, float):
        return None
    return NormStatistics(
        mean, variance, eps, weight if isinstance(weight, Tensor) else None, bias if isinstance(bias, Tensor) else None
    )


def _fold(layer: Node, norm: Node, graph: Graph) -> bool:
    if not can_fold(layer, graph):
        return False
    weights = [each for each in layer.weights if not each.is_bias]
    biases = [each for each in layer.weights if each.is_bias]
    owner, _ = weights[0].owners[0]
    statistics = statistics_of(norm)
    assert statistics is not None  # noqa: S101  (see normalized_layers)
    factor, shift = _factors(statistics)
    with torch.no_grad():
        weight = weights[0].parameter
        _scale(weight, factor, transposed=layer.op is not None and layer.op.name in TRANSPOSED)
        if biases:
            biases[0].parameter.mul_(factor).add_(shift)
        else:
            add_bias(shift.to(weight.dtype), owner, layer, graph)
    return True


def can_fold(layer: Node, graph: Graph, needs_bias: bool = True) -> bool:
    """True if a layer has a weight, and a bias or room for one, that nothing else uses."""
    weights = [each for each in layer.weights if not each.is_bias]
    biases = [each for each in layer.weights if each.is_bias]
    if len(weights) != 1 or len(biases) > 1 or not all(_is_alone(each, layer, graph) for each in layer.weights):
        return False
    owner, _ = weights[0].owners[0]
    has_room = "bias" in owner._parameters and owner._parameters["bias"] is None  # noqa: SLF001
    return bool(biases) or has_room or not needs_bias


def _is_alone(weight: Weight, layer: Node, graph: Graph) -> bool:
    return len(weight.owners) == 1 and [node for node in graph.nodes if weight in node.weights] == [layer]


def _factors(norm: NormStatistics) -> tuple[Tensor, Tensor]:
    """γ/σ, and β - μ γ/σ."""
    factor = torch.rsqrt(norm.variance + norm.eps)
    if norm.weight is not None:
        factor = factor * norm.weight
    shift = -norm.mean * factor if norm.bias is None else norm.bias - norm.mean * factor
    return factor.detach(), shift.detach()


def _scale(weight: Tensor, factor: Tensor, transposed: bool) -> None:
    if not transposed:
        weight.mul_(factor.view(-1, *[1] * (weight.dim() - 1)))
        return
    groups = factor.numel() // weight.shape[1]
    per_input = factor.view(groups, 1, -1).expand(groups, weight.shape[0] // groups, -1)
    weight.mul_(per_input.reshape(weight.shape[0], -1, *[1] * (weight.dim() - 2)))


def add_bias(shift: Tensor, owner: nn.Module, layer: Node, graph: Graph) -> None:
    """Give a layer without bias `shift` as its bias."""
    parameter = Parameter(shift.clone())
    owner.register_parameter("bias", parameter)
    made = Weight(parameter, [(owner, "bias")], graph.path_of(owner))
    layer.weights.append(made)
    graph.weights.append(made)
