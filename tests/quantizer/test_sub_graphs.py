"""Patterns with branches, insertion, partition by a device, and what graphs look like."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    Branches,
    Captured,
    Device,
    Graph,
    Kernel,
    Maybe,
    Pattern,
    PostTrainingQuantizer,
    Scheme,
    partition,
)
from qprep.runtime_modules import Concat, EltwiseAdd
from tests.quantizer.graphs import model as block
from tests.quantizer.models import mlp, snr
from tests.quantizer.test_integer import image


class Residual(nn.Module):
    """Two convolutions, one with a BatchNorm, that are added; a sigmoid beside them."""

    def __init__(self, swapped: bool = False) -> None:
        super().__init__()
        self.left, self.norm, self.relu = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU()
        self.right, self.add, self.out = nn.Conv2d(8, 8, 1), EltwiseAdd(), nn.ReLU()
        self.gate, self.cat, self.last = nn.Sigmoid(), Concat(1), nn.Conv2d(16, 4, 1)
        self.swapped = swapped

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.relu(self.norm(self.left(x))), self.right(x)
        y = self.out(self.add(right, left) if self.swapped else self.add(left, right))
        return self.last(self.cat([y, self.gate(y)]))  # type: ignore[no-any-return]


def prepared(model: nn.Module, x: Tensor) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model.eval())
    quantizer.passes.drop("fold-batch-norm")
    quantizer.prepare_model(x)
    return quantizer


def paths(match: object) -> list[str]:
    return [node.path for node in match]  # type: ignore[attr-defined]


@pytest.mark.parametrize("swapped", [False, True])
def test_branches_meet_in_any_order(swapped: bool) -> None:
    graph = prepared(Residual(swapped), image()).graph
    pattern = Pattern(
        Branches((Captured("layer", "conv2d"), Maybe("batch_norm"), "relu"), ("conv2d",)),
        Captured("sum", "add"),
        "relu",
    )
    (found,) = pattern.match(graph)
    assert paths(found) == ["left", "norm", "relu", "right", "add", "out"]
    assert (found["layer"].path, found["sum"].path) == ("left", "add")
    with pytest.raises(QprepError, match=r"expected a name that was captured \(layer, sum\), found 'norm'"):
        found["norm"]
    assert list(Pattern(Branches(("sigmoid",), ()), "add").match(graph)) == []
    (any_operand,) = Pattern(Branches(("relu",), ()), "add").match(graph)
    assert paths(any_operand) == ["relu", "add"]


def test_optional_parts_take_the_longest() -> None:
    graph = prepared(Residual(), image()).graph
    found = list(Pattern("conv2d", Maybe("batch_norm"), Maybe("relu")).match(graph))
    assert [paths(each) for each in found] == [["left", "norm", "relu"], ["right"], ["last"]]


def test_chains_may_overlap() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8))
    graph = prepared(model, image(4, 8)).graph
    assert [paths(each) for each in Pattern("linear", "linear").match(graph)] == [["0", "1"], ["1", "2"]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pattern("conv2"), "found 'conv2'; did you mean 'conv2d'"),
        (lambda: Pattern(Maybe("relu")), "expected an element that is not optional"),
        (lambda: Pattern(Branches(("relu",), ())), "expected an operation behind Branches"),
        (lambda: Branches(("relu",)), "expected two or more chains"),
        (lambda: Pattern("relu", Branches((), ())), "expected module classes or operations' names"),
        (lambda: Device("tile", {"convolution": Kernel()}), "what tile runs, found 'convolution'"),
    ],
)
def test_names_that_match_nothing(make: object, message: str) -> None:
    with pytest.raises(QprepError, match=message):
        make()  # type: ignore[operator]


def test_a_module_between_two() -> None:
    class Doubles(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2

    def insert(graph: Graph) -> None:
        linear, relu, _ = graph.nodes
        graph.insert_between(linear.outputs[0], relu, Doubles())

    model, x = mlp().eval(), image(32, 8)
    quantizer = PostTrainingQuantizer(model)
    quantizer.passes.insert_before("plan-activations", "insert", insert)
    quantizer.prepare_model(x)
    assert [node.label for node in quantizer.graph.nodes] == ["0", "1.before.0", "1", "2"]
    quantizer.calibrate([x])
    expected = model[2](torch.relu(model[0](x) * 2))
    assert snr(expected, quantizer.convert()(x)) > 30
    assert "1.before.0" in {each.name for each in quantizer.quantizers} | {node.path for node in quantizer.graph.nodes}
    graph = quantizer.graph
    with pytest.raises(QprepError, match="which does not read it"):
        graph.insert_between(graph.inputs[0], graph.nodes[-1], Doubles())


def test_partition_by_a_device() -> None:
    quantizer = prepared(Residual(), image())
    tile = Device("tile", {name: Kernel() for name in ("conv2d", "batch_norm", "relu", "add", "cat")})
    parts = partition(quantizer.graph, tile)
    assert [(each.device is tile, [node.path for node in each.nodes]) for each in parts] == [
        (True, ["left", "norm", "relu", "right", "add", "out"]),
        (False, ["gate"]),
        (True, ["cat", "last"]),
    ]
    first, host, last = parts
    assert [edge.name for edge in first.inputs] == ["input 0"]
    assert first.outputs == host.inputs
    assert [edge.name for edge in last.inputs] == ["out", "gate"]
    assert last.outputs == quantizer.graph.outputs
    assert host.reasons == {"gate": "tile has no kernel for sigmoid"}
    assert str(host) == "the host: gate; reads out; gives gate"


def test_a_device_declines_formats() -> None:
    quantizer = PostTrainingQuantizer(mlp(), overrides={"2": {"bits_weights": 4}})
    quantizer.prepare_model(image(32, 8))
    reasons = [
        each.reasons for each in partition(quantizer.graph, Device("tile", {"linear": Kernel(), "relu": Kernel()}))
    ]
    assert reasons == [{}, {"2": "2.weight is 4 bit restricted"}]
    strict = Device("tile", {name: Kernel(schemes=[Scheme.SYMMETRIC]) for name in ("linear", "relu")})
    (host,) = partition(quantizer.graph, strict)
    assert host.reasons["0"] == "input 0 is 8 bit asymmetric"


def test_parts_never_wait_for_each_other() -> None:
    """An operation of the host between two of the device: these are apart, though a tensor leads past it."""
    quantizer = prepared(Residual(), image())
    everything = Device("tile", {each: Kernel() for each in ("conv2d", "batch_norm", "relu", "add", "cat")})
    seen: set[object] = set()
    for part in partition(quantizer.graph, everything):
        assert all(edge.producer is None or edge.producer in seen for edge in part.inputs)
        seen.update(part.nodes)


def test_a_graph_is_a_table_and_a_node_a_line() -> None:
    graph = PostTrainingQuantizer(block())
    graph.prepare_model(image(8, 3, 8, 8))
    lines = str(graph.graph).splitlines()
    assert lines[0] == f"Graph(Block, {len(graph.graph.nodes)} nodes)"
    assert lines[1].split() == ["node", "operation", "reads", "gives", "parameters"]
    assert len(lines) == len(graph.graph.nodes) + 4
    for each in (*graph.graph.nodes, *graph.graph.edges, *graph.graph.weights, graph.graph):
        assert "\n" not in repr(each)
        assert len(repr(each)) < 160
    assert repr(graph.graph.nodes[-1]) == "Node(fc: linear(drop) -> 8 bit asymmetric)"
