"""What masks write into activations is no part of their range."""

from __future__ import annotations

import math
from typing import Final

from qprep.quantizer.graph import Edge, Graph, Node, Range

_FILLS: Final = ("masked_fill", "where")
_SUMS: Final = ("add", "sub")
_SOFTMAX: Final = ("softmax", "log_softmax")
_NOTHING: Final = 30.0  # e^-30 is nothing beside 1


def keep_masks(graph: Graph) -> None:
    """Nothing is quantized behind a mask that writes what lies far outside (-inf, -1e9): its input is, before it.

    So it is where a softmax alone reads what a mask was added to; the mask itself stays as it is, too.
    """
    masking = {node for node in graph.nodes if node.owned and node.outputs and _masks(node)}
    for node in masking:
        node.outputs[0].spec = None
    for edge in graph.edges:
        if edge.consumers and masking.issuperset(edge.consumers) and _is_mask(edge):
            edge.spec = None


def _masks(node: Node) -> bool:
    out = node.outputs[0]
    for_softmax = bool(out.consumers) and not out.is_output and all(each.name in _SOFTMAX for each in out.consumers)
    inputs = [edge.seen for edge in node.inputs if edge.seen is not None]
    if out.seen is None or not inputs:
        return False
    if node.name in _FILLS:
        return for_softmax or _is_far(out.seen, _union(inputs))
    low = max(low for low, _ in inputs)  # of what the mask is added to
    return node.name in _SUMS and for_softmax and out.seen[0] < low - _NOTHING


def _is_mask(edge: Edge) -> bool:
    return edge.seen is not None and edge.seen[0] < -_NOTHING and edge.seen[1] <= 0


def _is_far(found: Range, given: Range) -> bool:
    """Whether `found` reaches beyond `given` by more than that is wide."""
    width = given[1] - given[0]
    return found[0] < given[0] - width or found[1] > given[1] + width


def _union(ranges: list[Range]) -> Range:
    finite = [each for each in ranges if all(map(math.isfinite, each))] or ranges
    return min(low for low, _ in finite), max(high for _, high in finite)
