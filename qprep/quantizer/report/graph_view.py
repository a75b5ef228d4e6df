"""The module graph of a quantized model as plain data: boxes, and the formats of the tensors between them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.graph.insertion import weight_spec
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node


class BoxKind(enum.StrEnum):
    """Kinds of boxes: an input of the model, an operation, an operation without a module, an output of the model."""

    INPUT = "input"
    OPERATION = "operation"
    FLOAT = "float"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its name (a module path), its operation, and the formats of its parameters."""

    name: str
    kind: BoxKind
    operation: str = ""
    weights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A tensor from one box to all boxes that read it in one format.

    source, targets  indices of boxes; a target before its source is a later step of a recurrent layer
    bits             None for a tensor in float, or in a floating format
    format           such as "8 bit", "float16" or "float"; "integers" for indices and masks
    """

    source: int
    targets: tuple[int, ...]
    bits: int | None
    format: str


@dataclass(frozen=True, slots=True)
class GraphView:
    """Boxes in the order in which operations first ran, and links."""

    boxes: tuple[Box, ...]
    links: tuple[Link, ...]


def view_of(graph: Graph) -> GraphView:
    """The view of a planned graph: inputs first, then operations, then outputs."""
    boxes = [Box(edge.name, BoxKind.INPUT) for edge in graph.inputs]
    boxes += [_box(node, graph) for node in graph.nodes]
    boxes += [Box(f"output {number}", BoxKind.OUTPUT) for number in range(len(graph.outputs))]
    place = {node: len(graph.inputs) + number for number, node in enumerate(graph.nodes)}
    end = len(graph.inputs) + len(graph.nodes)
    ends: dict[Edge, list[int]] = {}
    for number, edge in enumerate(graph.outputs):
        ends.setdefault(edge, []).append(end + number)
    links: list[Link] = []
    for edge in graph.edges:
        source = edge.index if edge.producer is None else place.get(edge.producer)
        if source is not None:
            links += _links(edge, source, place, ends.get(edge, []))
    return GraphView(tuple(boxes), tuple(links))


def _links(edge: Edge, source: int, place: dict[Node, int], ends: list[int]) -> list[Link]:
    """One link for each format in which the tensor is read."""
    readers: dict[Spec | None, list[int]] = {}
    for node in dict.fromkeys(edge.consumers):
        if node in place:
            readers.setdefault(_read_as(edge, node), []).append(place[node])
    if ends:
        readers.setdefault(edge.spec, []).extend(ends)
    return [
        Link(
            source,
            tuple(sorted(targets)),
            None if spec is None else spec.bits,
            _short(spec) if edge.floating else "integers",
        )
        for spec, targets in readers.items()
    ]


def _read_as(edge: Edge, node: Node) -> Spec | None:
    """The format in which `node` reads the tensor."""
    if node.reads is not None and edge.floating:
        return node.reads
    return edge.spec if edge.readers is None or node in edge.readers else None


def _box(node: Node, graph: Graph) -> Box:
    specs = [weight_spec(each, [node], graph) for each in node.weights if not each.is_bias]
    kind = BoxKind.OPERATION if node.owned else BoxKind.FLOAT
    return Box(node.label, kind, node.name, tuple(dict.fromkeys(map(_short, specs))))


def _short(spec: Spec | None) -> str:
    if spec is None:
        return "float"
    return str(spec.dtype) if spec.bits is None else f"{spec.bits} bit"
