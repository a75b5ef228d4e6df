"""SmoothQuant (Xiao et al., arXiv:2211.10438): outliers of activations moved into weights, as a pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import Caller, batches_of, keywords_of
from qprep.quantizer.graph.graph_passes import Pass
from qprep.quantizer.graph.quantization_graph import Graph, Node, Weight

_NORMS: Final = ("layer_norm", "rms_norm")


@dataclass(frozen=True, eq=False, slots=True)
class NormGroup:
    """A normalization with a weight of its own, and the weights (outputs, channels) of all that reads it."""

    norm: Node
    readers: tuple[Weight, ...]


def smooth_quant(loader: object, alpha: float = 0.5, positional: int = 1) -> Pass:
    """Return a pass that divides the output of a normalization by s and multiplies the weights behind it by s.

    s = max |x|^alpha / max |w|^(1 - alpha) (equation 4). In float the model computes the same as before.

    loader      batches as `calibrate` takes them, run once in float
    alpha       0 to 1: the part of the range of activations that moves into the weights
    positional  number of inputs at the start of a tuple of the loader

    There is one s for each channel. It covers LayerNorm and RMSNorm with weights whose results only linear layers read.
    Insert it before planning: `q.passes.insert_after("fold-batch-norm", "smooth-quant", smooth_quant(loader))`.
    Raises QprepError for an alpha outside of 0 to 1; the pass raises it for a loader without data.
    """
    if not 0 <= alpha <= 1:
        raise QprepError(f"expected an alpha from 0 to 1, found {alpha!r}")

    def smooth(graph: Graph) -> None:
        groups = list(norm_groups(graph))
        largest = _largest(graph, groups, loader, positional)
        with torch.no_grad():
            for group in groups:
                _smooth(group, largest[group.norm.module], alpha)

    return smooth


def norm_groups(graph: Graph) -> Iterator[NormGroup]:
    """Normalizations whose weights are their own and whose results only linear layers read."""
    for node in graph.nodes:
        readers = _readers(node, graph) if node.name in _NORMS and node.calls == 1 and len(node.outputs) == 1 else None
        own = [each for each in node.weights if len(each.owners) == 1 and _users(each, graph) == [node]]
        if readers and own and len(own) == len(node.weights):
            yield NormGroup(node, readers)


def _readers(norm: Node, graph: Graph) -> tuple[Weight, ...] | None:
    """The weights that read what `norm` gives, None if anything else does."""
    edge = norm.outputs[0]
    if edge.is_output or not edge.consumers:
        return None
    found: dict[Weight, None] = {}
    for node in edge.consumers:
        weights = [each for each in node.weights if not each.is_bias]
        if node.name != "linear" or node.inputs != [edge] or len(weights) != 1 or weights[0].part_of is not None:
            return None
        found[weights[0]] = None
    channels = norm.weights[0].parameter.shape if norm.weights else ()
    fits = all(each.parameter.dim() == 2 and each.parameter.shape[1:] == channels for each in found)
    alone = all(user in edge.consumers for each in found for user in _users(each, graph))
    return tuple(found) if fits and alone else None


def _users(weight: Weight, graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if weight in node.weights]


def _largest(graph: Graph, groups: Sequence[NormGroup], loader: object, positional: int) -> dict[nn.Module, Tensor]:
    """The largest magnitude of each channel (channels,) that each normalization gives."""
    found: dict[nn.Module, Tensor] = {}

    def look(module: nn.Module, _: object, out: Tensor) -> None:
        seen = out.detach().abs().flatten(0, -2).amax(0)
        found[module] = seen if module not in found else torch.maximum(found[module], seen)

    caller, batches = Caller(positional, keywords_of(graph.model)), 0
    with contextlib.ExitStack() as stack, torch.no_grad():
        for group in groups:
            stack.callback(partial(_remove, group.norm.module.register_forward_hook(look)))
        for batch in batches_of(loader):
            caller.call(graph.model, batch)
            batches += 1
    if batches == 0:
        raise QprepError("expected data to smooth with, found an empty loader")
    return found


def _remove(handle: torch.utils.hooks.RemovableHandle) -> None:
    handle.remove()


def _smooth(group: NormGroup, largest: Tensor, alpha: float) -> None:
    weights = torch.stack([each.parameter.abs().amax(0) for each in group.readers]).amax(0).float()
    factor = largest.float().pow(alpha) / weights.pow(1 - alpha)
    divide(group, torch.where((largest > 0) & (weights > 0), factor, torch.ones_like(factor)).clamp(1e-5, 1e5))


def divide(group: NormGroup, factor: Tensor) -> None:
    """Divide what the normalization gives by `factor` (channels,), and multiply the weights that read it."""
    for each in group.norm.weights:
        each.parameter.div_(factor.to(each.parameter.dtype))
    for each in group.readers:
        each.parameter.mul_(factor.to(each.parameter.dtype))
