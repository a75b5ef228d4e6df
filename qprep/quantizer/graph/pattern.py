"""Matches chains of operations in a module graph."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.graph.quantization_graph import Graph, Node

Element = type[nn.Module] | str | tuple[type[nn.Module] | str, ...]


class Pattern:
    """`Pattern(nn.Conv2d, nn.BatchNorm2d, ("relu", "relu6"))`: nodes one behind the other, read by nothing else.

    An element is a module class (subclasses match too), an operation's name in the catalogue, or a tuple of either.
    """

    def __init__(self, *elements: Element) -> None:
        """Raises QprepError where there is nothing to match, or an element is of another kind."""
        if not elements:
            raise QprepError("expected one or more elements in a pattern, found none")
        self._elements = [element if isinstance(element, tuple) else (element,) for element in elements]
        for element in (each for alternatives in self._elements for each in alternatives):
            if not isinstance(element, str) and not (isinstance(element, type) and issubclass(element, nn.Module)):
                raise QprepError(f"expected module classes or operations' names in a pattern, found {element!r}")

    def match(self, graph: Graph) -> Iterator[tuple[Node, ...]]:
        """Every chain that fits, in the order of its first node; the graph may be changed between two of them."""
        for node in list(graph.nodes):
            found = self._from(node, graph)
            if found is not None:
                yield found

    def _from(self, node: Node, graph: Graph) -> tuple[Node, ...] | None:
        if node not in graph.nodes:
            return None
        chain = [node]
        for _ in self._elements[1:]:
            last = chain[-1]
            following = graph.only_consumer(last.outputs[0]) if len(last.outputs) == 1 else None
            if following is None or following.inputs != last.outputs:
                return None
            chain.append(following)
        fits = all(_fits(each, element) for each, element in zip(chain, self._elements, strict=True))
        return tuple(chain) if fits else None


def _fits(node: Node, alternatives: tuple[type[nn.Module] | str, ...]) -> bool:
    if not node.owned:
        return False
    return any(
        node.op is not None and node.op.name == each if isinstance(each, str) else isinstance(node.module, each)
        for each in alternatives
    )
