"""Partitions a planned graph between a device and the rest: what the device runs, in sub-graphs for its compiler."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from qprep.foundation.catalogue.lookup import load
from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.formats.spec import Scheme, Spec
from qprep.quantizer.graph.insertion import weight_spec
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node, format_of


@dataclass(frozen=True, slots=True)
class Kernel:
    """The formats that a device runs an operation in; None if it takes any, a float tensor has no bits.

    activations  bits of what it reads and gives
    weights      bits of its parameters, biases left out
    schemes      how ranges of activations become scales
    """

    activations: Collection[int] | None = (8,)
    weights: Collection[int] | None = (8,)
    schemes: Collection[Scheme | str] | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A device: its kernels by the operations' names in the catalogue.

    `Device("tile", {"conv2d": Kernel(), "relu": Kernel(), "add": Kernel(schemes=["symmetric"])})`. Raises QprepError
    for names that no operation has.
    """

    name: str
    kernels: Mapping[str, Kernel]

    def __post_init__(self) -> None:
        known = {op.name for op in load().ops}
        for name in self.kernels:
            if name not in known:
                raise QprepError(
                    f"expected operations of the catalogue as what {self.name} runs, found {name!r}"
                    f"{did_you_mean(name, known)}"
                )

    def declines(self, node: Node, graph: Graph) -> str:
        """The reasons why the device cannot run a node as planned; empty if it can."""
        kernel = self.kernels.get(node.name)
        if kernel is None or not node.owned:
            return f"{self.name} has no kernel for {node.name}"
        for edge in (*node.inputs, *node.outputs):
            if edge.floating and (reason := _declined(edge, kernel, node)):
                return reason
        for weight in node.weights:
            spec = None if weight.is_bias else weight_spec(weight, [node], graph)
            fits = kernel.weights is None or (spec is not None and spec.bits in kernel.weights)
            if not weight.is_bias and weight.parameter.dim() > 1 and not fits:
                return f"{weight.name} is {format_of(spec)}"
        return ""


def _declined(edge: Edge, kernel: Kernel, node: Node) -> str:
    spec = _seen(edge, node)
    if spec is None and edge in node.outputs and _fused(edge):
        return ""  # its sums go on as they are, to the activation that is fused with it
    bits_fit = kernel.activations is None or (spec is not None and spec.bits in kernel.activations)
    scheme_fits = kernel.schemes is None or (spec is not None and spec.scheme in kernel.schemes)
    return "" if bits_fit and scheme_fits else f"{edge.name} is {format_of(spec)}"


def _seen(edge: Edge, node: Node) -> Spec | None:
    """The format in which a node reads or gives a tensor; that of what is fused before it, where it is its input."""
    if edge.spec is None and edge in node.inputs and _fused(edge):
        return node.outputs[0].spec if node.outputs else None
    return edge.spec if edge.readers is None or node in edge.readers or edge in node.outputs else None


def _fused(edge: Edge) -> bool:
    readers = edge.consumers
    return edge.producer is not None and len(readers) == 1 and any(out.spec is not None for out in readers[0].outputs)


@dataclass(eq=False, slots=True)
class Part:
    """Nodes that run in one piece, in order.

    device   None for what stays where the model runs
    inputs   tensors that come from outside, `outputs` those that others or the caller read
    reasons  of a part without device: why each node is in it, by its label
    """

    device: Device | None
    nodes: list[Node] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Edge]:
        """Tensors that come from outside, in the order in which they are read."""
        own = set(self.nodes)
        return list(dict.fromkeys(edge for node in self.nodes for edge in node.inputs if edge.producer not in own))

    @property
    def outputs(self) -> list[Edge]:
        """Tensors that other parts read, or the model's caller."""
        own = set(self.nodes)
        return [edge for node in self.nodes for edge in node.outputs if edge.is_output or own < own | {*edge.consumers}]

    def __str__(self) -> str:
        where = "the host" if self.device is None else self.device.name
        names = ", ".join(node.label for node in self.nodes)
        return f"{where}: {names}; reads {_names(self.inputs)}; gives {_names(self.outputs)}"


def _names(edges: Collection[Edge]) -> str:
    return ", ".join(edge.name for edge in edges) or "nothing"


def partition(graph: Graph, device: Device) -> list[Part]:
    """The parts of a planned graph in an order in which they can run: each on `device` as large as it can be.

    A part never needs what another computes of its own results, so that it can be compiled as one piece. Call it on
    `quantizer.graph` after `prepare_model`, or in a pass behind all that plan.
    """
    made = _Partition(graph, device)
    for node in graph.nodes:
        made.place(node)
    return list(made.in_order())


class _Partition:
    def __init__(self, graph: Graph, device: Device) -> None:
        self._graph, self._device = graph, device
        self._part_of: dict[Node, int] = {}
        self._parts: list[Part] = []
        self._needs: list[set[int]] = []  # the parts that each needs, through others too

    def place(self, node: Node) -> None:
        """Into a part of the same device that needs nothing of what the node reads elsewhere; else into a new one.

        Parts that give what the node reads come first.
        """
        reason = self._device.declines(node, self._graph)
        device = None if reason else self._device
        before = {self._part_of[edge.producer] for edge in node.inputs if edge.producer in self._part_of}
        for number in sorted(range(len(self._parts)), key=lambda each: (each in before, each), reverse=True):
            others = before - {number}
            needed = others.union(*(self._needs[each] for each in others))
            if self._parts[number].device is device and number not in needed:
                self._add(node, number, needed, reason)
                return
        self._parts.append(Part(device))
        self._needs.append(set())
        self._add(node, len(self._parts) - 1, before.union(*(self._needs[each] for each in before)), reason)

    def _add(self, node: Node, number: int, needed: set[int], reason: str) -> None:
        self._parts[number].nodes.append(node)
        self._part_of[node] = number
        if reason:
            self._parts[number].reasons[node.label] = reason
        self._needs = [
            needs | needed if at == number or number in needs else needs for at, needs in enumerate(self._needs)
        ]

    def in_order(self) -> Iterator[Part]:
        """Each behind all that it needs."""
        done: set[int] = set()
        while len(done) < len(self._parts):
            number = next(at for at, needs in enumerate(self._needs) if at not in done and needs <= done)
            done.add(number)
            yield self._parts[number]
