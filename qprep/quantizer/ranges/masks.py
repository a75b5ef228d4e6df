"""Masks: the values that they write into activations are not part of a range."""

from __future__ import annotations

import math
from typing import Final

from qprep.quantizer.formats.spec import Range
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node

_FILLS: Final = ("masked_fill", "where")
_SUMS: Final = ("add", "sub")
_SOFTMAX: Final = ("softmax", "log_softmax")
_NOTHING: Final = 30.0  # e^-30 is nothing beside 1


def keep_masks(graph: Graph) -> None:
    """Nothing is quantized behind a mask that writes what lies far outside (-inf, -1e9): its input is, before it.

    So it is where a softmax alone reads what a mask was added to. The mask itself stays as it is, and so does what it
    is computed from, where that is all that is read of it: 1 - 0.9999 times -1e38 would mask everything. It does not
    matter whether a module or the model's own code masks.
    """
    summing = (node for node in graph.nodes if node.name in _SUMS and node.outputs)
    adding = {node for node in summing if _is_for_softmax(node)}
    masking = {node for node in graph.nodes if node.outputs and _masks(node)}
    weighted = _from_weights(graph) if adding else set()
    for node in adding:
        sides = [_side(edge) for edge in node.inputs if edge not in weighted]
        if len(sides) == 1 and len(node.inputs) > 1 and all(_is_read_by(edge, adding, sides[0]) for edge in sides[0]):
            masking.add(node)
            for edge in sides[0]:
                edge.spec = None
    for node in masking:
        node.outputs[0].spec = None
    for edge in graph.edges:
        if edge.consumers and masking.issuperset(edge.consumers) and _is_mask(edge):
            edge.spec = None


def _from_weights(graph: Graph) -> set[Edge]:
    """The edges that any weight flows into."""
    found: set[Edge] = set()
    for node in graph.nodes:
        if node.weights or not found.isdisjoint(node.inputs):
            found.update(node.outputs)
    return found


def _side(edge: Edge) -> set[Edge]:
    """The edge and all that it is computed from."""
    found, waiting = {edge}, [edge]
    while waiting:
        producer = waiting.pop().producer
        new = [] if producer is None else [each for each in producer.inputs if each not in found]
        found.update(new)
        waiting += new
    return found


def _is_read_by(edge: Edge, adding: set[Node], side: set[Edge]) -> bool:
    return not edge.is_output and all(
        node in adding or any(out in side for out in node.outputs) for node in edge.consumers
    )


def _is_for_softmax(node: Node) -> bool:
    out = node.outputs[0]
    return bool(out.consumers) and not out.is_output and all(each.name in _SOFTMAX for each in out.consumers)


def _masks(node: Node) -> bool:
    out = node.outputs[0]
    inputs = [edge.seen for edge in node.inputs if edge.seen is not None]
    if out.seen is None or not inputs:
        return False
    if node.name in _FILLS:
        return _is_for_softmax(node) or _is_far(out.seen, _union(inputs))
    low = max(low for low, _ in inputs)  # of what the mask is added to
    return node.name in _SUMS and _is_for_softmax(node) and out.seen[0] < low - _NOTHING


def _is_mask(edge: Edge) -> bool:
    return edge.seen is not None and edge.seen[0] < -_NOTHING and edge.seen[1] <= 0


def _is_far(found: Range, given: Range) -> bool:
    """True if `found` reaches beyond `given` by more than that is wide."""
    width = given[1] - given[0]
    return found[0] < given[0] - width or found[1] > given[1] + width


def _union(ranges: list[Range]) -> Range:
    finite = [each for each in ranges if all(map(math.isfinite, each))] or ranges
    return min(low for low, _ in finite), max(high for _, high in finite)
