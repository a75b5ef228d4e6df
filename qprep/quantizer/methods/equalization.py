"""Cross-layer equalization (Nagel et al., arXiv:1906.04721, section 4.1), a pass that changes no function."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from qprep.quantizer.graph.pattern import Pattern
from qprep.quantizer.graph.quantization_graph import Graph, Node
from qprep.quantizer.methods.batchnorm_folding import FOLDABLE, TRANSPOSED, can_fold

_HOMOGENEOUS: Final = ("relu", "leaky_relu")  # f(s x) = s f(x) for s > 0
_SWEEPS: Final = 20


def cross_layer_equalization(graph: Graph) -> None:
    """A pass that gives each channel the same largest weight in the layer that writes it and in the one that reads it.

    It covers pairs of layers of one kind (linear or convolution) without other neighbours, with nothing or a ReLU
    between them; not through ReLU6 or a change of layout. Insert it after "fold-batch-norm":
    `q.passes.insert_after("fold-batch-norm", "cross-layer-equalization", cross_layer_equalization)`.
    """
    chains = [*Pattern(FOLDABLE, FOLDABLE).match(graph), *Pattern(FOLDABLE, _HOMOGENEOUS, FOLDABLE).match(graph)]
    pairs = [(chain[0], chain[-1]) for chain in chains if _is_safe(chain, graph)]
    with torch.no_grad():
        for _ in range(_SWEEPS):
            if max((_equalize(*pair) for pair in pairs), default=0.0) < 1e-3:
                return


def _is_safe(chain: tuple[Node, ...], graph: Graph) -> bool:
    first, last = chain[0], chain[-1]
    alone = all(can_fold(node, graph, needs_bias=False) for node in (first, last))
    plain = all(node.calls == 1 and not node.outputs[0].viewed for node in chain[:-1])
    return alone and plain and _dims(first) == _dims(last) and len(_outputs(first)) == len(_inputs(last))


def _equalize(first: Node, last: Node) -> float:
    """Scale the channels between two layers; how far the largest factor was from 1."""
    made, read = _outputs(first), _inputs(last)
    factor = (made / read).sqrt()
    factor = torch.where((made > 0) & (read > 0), factor, torch.ones_like(factor))
    weight = _weight(first)
    weight.div_(factor.view(weight.shape[0], weight.shape[1], 1, 1))
    for bias in first.weights:
        if bias.is_bias:
            bias.parameter.div_(factor)
    following = _weight(last)
    following.mul_(factor.view(following.shape[0], 1, following.shape[2], 1))
    return float((factor.log()).abs().max())


def _weight(node: Node) -> Tensor:
    """(groups, outputs, inputs, kernel) of each group; a view of the parameter."""
    parameter = next(each.parameter for each in node.weights if not each.is_bias).detach()
    groups = int(getattr(node.module, "groups", 1))
    grouped = parameter.view(groups, parameter.shape[0] // groups, parameter.shape[1], -1)
    return grouped.transpose(1, 2) if node.op is not None and node.op.name in TRANSPOSED else grouped


def _outputs(node: Node) -> Tensor:
    """The largest weight of each channel that the layer makes."""
    return _weight(node).abs().amax((2, 3)).flatten()


def _inputs(node: Node) -> Tensor:
    """The largest weight of each channel that the layer reads."""
    return _weight(node).abs().amax((1, 3)).flatten()


def _dims(node: Node) -> int:
    return next(each.parameter for each in node.weights if not each.is_bias).dim()
