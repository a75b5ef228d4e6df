"""The module graph of a traced run: nodes are module calls, edges are the tensors between them.

Quantization is planned on edges and parameters, never on tensor objects, so nothing goes stale in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import Parameter

from qprep.foundation.catalogue.op import Op
from qprep.foundation.errors import QprepError
from qprep.quantizer.config.config_settings import LayerSettings
from qprep.quantizer.formats.spec import Range, Spec
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.inserted_modules import FirstArgument, InsertedBefore


def spanning(one: Range | None, other: Range | None) -> Range | None:
    """The range over both, None if one of them is not known."""
    return None if one is None or other is None else (min(one[0], other[0]), max(one[1], other[1]))


def format_of(spec: Spec | None) -> str:
    """Such as "8 bit asymmetric", "float16", and "float" for none."""
    if spec is None:
        return "float"
    return str(spec.dtype) if spec.bits is None else f"{spec.bits} bit {spec.scheme}"


@dataclass(eq=False, slots=True)
class Edge:
    """One tensor between module calls, through any layout operations, and how it is to be quantized.

    producer   None for an input of the model
    origin     path of the module that gave it when the model was traced, "" for an input
    index      which of the producer's output tensors, or of the model's inputs
    floating   False for indices and masks, which nothing quantizes
    spec       None leaves it as it is
    inherits   whether it is on its leader's grid already, without being quantized again
    readers    where given, only these nodes read it quantized, each by itself
    fixed      its range where the operation alone decides it (sigmoid)
    bounds     the part of its range that its consumers can see (a ReLU: nothing below 0)
    device     where the tensor was when the model was traced
    viewed     whether anything reads it through a layout operation
    seen       its smallest and largest value when the model was traced
    dims       how many dimensions it had then, before any layout operation
    quantizer  what quantizes it, where that is not each reader's own
    leader     the edge whose scale it shares, itself by default
    """

    producer: Node | None
    index: int
    floating: bool = True
    consumers: list[Node] = field(default_factory=list)
    is_output: bool = False
    spec: Spec | None = None
    inherits: bool = False
    readers: list[Node] | None = None
    fixed: Range | None = None
    bounds: Range | None = None
    device: torch.device | None = None
    viewed: bool = False
    seen: Range | None = None
    dims: int = 0
    origin: str = ""
    quantizer: TensorQuantizer | None = None
    _leader: Edge | None = None

    def __repr__(self) -> str:
        return f"Edge({self.name}, {format_of(self.spec)})"

    @property
    def name(self) -> str:
        """ "input 0" for an input of the model, else the path of the module that gives it."""
        if self.producer is None:
            return f"input {self.index}"
        return self.producer.label + (f"[{self.index}]" if self.index else "")

    @property
    def leader(self) -> Edge:
        """The edge that represents all that share one scale."""
        edge = self
        while edge._leader is not None:
            edge = edge._leader
        return edge

    def slot_at(self, reader: Node) -> TensorQuantizer | None:
        """The quantizer of the tensor that `reader` reads; None if it reads it in float."""
        if self.readers is not None and reader not in self.readers:
            return None
        return self.leader.quantizer if self.inherits else self.quantizer

    def set_leader(self, other: Edge) -> None:
        """Have the scale of `other`, or, where that is this edge, its own."""
        self._leader = None if other is self else other

    def share_with(self, other: Edge) -> None:
        """Let both have one scale, and so one range over all values of either."""
        mine, theirs = self.leader, other.leader
        if mine is not theirs:
            theirs._leader = mine  # noqa: SLF001  (of its own class)
            if mine.fixed != theirs.fixed:
                mine.fixed = spanning(mine.fixed, theirs.fixed)
            if mine.bounds != theirs.bounds:
                mine.bounds = None


@dataclass(eq=False, slots=True)
class Weight:
    """One parameter, every (module, name) that holds it, the first holder's path, and what quantizes it.

    part_of  the name of the tensor that is computed from it in each forward (weight_norm), None if it is used itself
    rows_to  what quantizes the output of the one lookup that gives rows of it, None if it has any other use
    columns  whether its last dimension is that of the outputs: it is the second factor of a product of matrices
    """

    parameter: Parameter
    owners: list[tuple[nn.Module, str]]
    path: str
    quantizer: TensorQuantizer | None = None
    part_of: str | None = None
    rows_to: TensorQuantizer | None = None
    columns: bool = False

    def __repr__(self) -> str:
        return f"Weight({self.name}, {tuple(self.parameter.shape)})"

    @property
    def name(self) -> str:
        """As in state_dict."""
        name = self.owners[0][1]
        return f"{self.path}.{name}" if self.path else name

    @property
    def is_bias(self) -> bool:
        """By its name, as torch names biases."""
        return "bias" in self.owners[0][1]


@dataclass(eq=False, slots=True)
class Node:
    """All calls of one module for one operation.

    op       its row in the operator catalogue, None if it is not known
    owned    False for operations outside any dedicated module, which stay in float
    weights  parameters, own ones or given by the caller, in order
    places   which of the tensors given to the first call was which edge
    given    which of them was which parameter
    settings what else the first call was given, by the names of forward's parameters: numbers, statistics
    reads    the format that it brings its inputs to, None if it reads them as they come
    sums     the format of its sums of products, to which the bias is added apart; None if they are exact
    alone    whether its result is that of `op`, and not of more operations behind it
    """

    path: str
    module: nn.Module
    op: Op | None
    owned: bool = True
    calls: int = 0
    inputs: list[Edge] = field(default_factory=list)
    outputs: list[Edge] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    places: dict[int, Edge] = field(default_factory=dict)
    given: dict[int, Weight] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    reads: Spec | None = None
    sums: Spec | None = None
    alone: bool = True

    def __repr__(self) -> str:
        read = ", ".join(edge.name for edge in self.inputs)
        given = ", ".join(format_of(edge.spec) for edge in self.outputs)
        return f"Node({self.label}: {self.name}({read}) -> {given}{'' if self.owned else ', in float'})"

    @property
    def label(self) -> str:
        """Its path; of an operation outside of any module its name."""
        return self.path or ("the model" if self.owned else f"({self.name})")

    @property
    def treatment(self) -> str:
        """The treatment by a quantizer, from the catalogue: output, same-scale, fixed-range or float."""
        if not self.owned:
            return "float"
        return "output" if self.op is None else self.op.quantizer

    @property
    def name(self) -> str:
        """The operation's canonical name, else the class's."""
        return type(self.module).__name__ if self.op is None else self.op.name


@dataclass(eq=False, slots=True)
class Graph:
    """The module graph that passes change. `settings(path)` returns the settings of a module."""

    model: nn.Module
    nodes: list[Node]
    inputs: list[Edge]
    outputs: list[Edge]
    weights: list[Weight]
    settings: Callable[[str], LayerSettings]

    def __repr__(self) -> str:
        return f"Graph({type(self.model).__name__}, {len(self.nodes)} nodes)"

    def __str__(self) -> str:
        """A table: each node, its operation, what it reads, its result in which format, its parameters."""
        rows = [("node", "operation", "reads", "gives", "parameters"), *(_row(node) for node in self.nodes)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([repr(self), *lines, f"gives {', '.join(edge.name for edge in self.outputs)}"])

    @property
    def edges(self) -> Iterator[Edge]:
        """Every edge: the model's inputs, then outputs of nodes in the order they ran."""
        yield from self.inputs
        for node in self.nodes:
            yield from node.outputs

    def only_consumer(self, edge: Edge) -> Node | None:
        """Return the only node that reads `edge`; None if several read it or it is an output of the model."""
        return edge.consumers[0] if len(edge.consumers) == 1 and not edge.is_output else None

    def ran(self, path: str) -> bool:
        """True if any operation ran inside the module at `path`."""
        return any(not path or f"{node.path}.".startswith(f"{path}.") for node in self.nodes)

    def path_of(self, module: nn.Module) -> str:
        """Return the name of `module` in the model, "" for the model itself."""
        paths: dict[nn.Module, str] = {each: path for path, each in self.model.named_modules()}
        return paths[module]

    def replace_module(self, old: nn.Module, new: nn.Module) -> None:
        """Put `new` wherever the model holds `old` as a child."""
        if old is self.model:
            self.model = new
            return
        holders = _holders(self.model, old)
        for holder, name in holders:
            holder.register_module(name, new)

    def insert_between(self, edge: Edge, reader: Node, module: nn.Module, op: Op | None = None) -> Node:
        """Have `reader` read `edge` through `module`, a new operation of one tensor; returns its node.

        op  its row of the catalogue; without one its output gets a separate range

        Raises QprepError if `reader` does not read `edge` as a separate tensor, and if `module` is not a module.
        """
        places = [at for at, each in reader.places.items() if each is edge]
        if not places or not isinstance(module, nn.Module):
            what = repr(module) if places else f"{reader!r}, which does not read it"
            raise QprepError(f"expected a module between {edge!r} and a node that reads it, found {what}")
        holder = InsertedBefore(reader.module, dict.fromkeys(places, module))
        path = f"{reader.path}.before.{places[0]}".strip(".")
        made = Node(path, module, op, calls=reader.calls, inputs=[edge], places={0: edge})
        out = Edge(made, 0, edge.floating, [reader], device=edge.device, seen=edge.seen, dims=edge.dims, origin=path)
        made.outputs = [out]
        self.nodes.insert(self.nodes.index(reader), made)
        edge.consumers[edge.consumers.index(reader)] = made
        reader.inputs = [out if each is edge else each for each in reader.inputs]
        reader.places = {at: out if each is edge else each for at, each in reader.places.items()}
        self.replace_module(reader.module, holder)
        return made

    def remove(self, node: Node) -> None:
        """Remove a node with one input; the readers of its output then read its input."""
        edge, out = node.inputs[0], node.outputs[0]
        producer = edge.producer
        self.nodes.remove(node)
        if producer is None:
            raise ValueError("an input of the model has no producer to take the place")
        out.producer, out.index = producer, edge.index
        producer.outputs[producer.outputs.index(edge)] = out
        self.replace_module(node.module, FirstArgument() if node.settings else nn.Identity())


def _row(node: Node) -> tuple[str, ...]:
    reads = ", ".join(edge.name for edge in node.inputs)
    gives = ", ".join(format_of(edge.spec) + (" (shared)" if edge.leader is not edge else "") for edge in node.outputs)
    weights = ", ".join(weight.name.rpartition(".")[2] for weight in node.weights)
    return node.label, node.name if node.owned else f"{node.name}, in float", reads, gives, weights


def _holders(model: nn.Module, child: nn.Module) -> list[tuple[nn.Module, str]]:
    return [(each, name) for each in model.modules() for name, found in each._modules.items() if found is child]  # noqa: SLF001
