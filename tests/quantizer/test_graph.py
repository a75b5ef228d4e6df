"""The module graph of a traced run, and patterns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.graph.pattern import Pattern
from qprep.runtime_modules import LSTM, CrossCorrelation2d, EltwiseAdd
from tests.quantizer.graphs import graph_of, model


def test_nodes_are_modules_and_edges_follow_tensors() -> None:
    graph = graph_of(model(), torch.randn(2, 3, 8, 8))
    assert [node.path for node in graph.nodes] == [
        "conv", "bn", "relu", "add", "pool", "sigmoid", "cat", "drop", "fc",
    ]  # fmt: skip
    add = next(node for node in graph.nodes if node.path == "add")
    assert [edge.producer.path if edge.producer else None for edge in add.inputs] == ["relu", None]
    fc = graph.nodes[-1]
    assert fc.inputs[0].producer is graph.nodes[-2]  # through flatten
    assert [weight.owners[0][1] for weight in fc.weights] == ["weight", "bias"]
    assert [edge.producer for edge in graph.outputs] == [fc]
    assert {node.name for node in graph.nodes} >= {"conv2d", "batch_norm", "relu", "add", "cat", "linear"}


def test_operations_outside_modules_stay_in_float() -> None:
    class Loose(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x * 2).sum()  # type: ignore[no-any-return]

    graph = graph_of(Loose(), torch.randn(2, 4))
    assert [(node.name, node.owned, node.treatment) for node in graph.nodes] == [
        ("mul", False, "float"),
        ("linear", True, "output"),
        ("sum", False, "float"),
    ]


def test_indices_are_not_quantized_and_casts_are() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(9, 4)
            self.fc = nn.Linear(3, 4)
            self.add = EltwiseAdd()

        def forward(self, tokens: Tensor) -> Tensor:
            return self.add(self.embed(tokens), self.fc(tokens.float()))  # type: ignore[no-any-return]

    graph = graph_of(Both(), torch.randint(9, (3,)))
    assert [(edge.floating, [node.path for node in edge.consumers]) for edge in graph.inputs] == [
        (False, ["embed"]),
        (True, ["fc"]),
    ]


def test_weights_may_belong_to_the_caller() -> None:
    class Padded(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(2, 4, 3)
            self.pad = nn.ZeroPad2d(1)
            self.conv = CrossCorrelation2d()

        def forward(self, input: Tensor) -> Tensor:
            return self.conv(self.pad(input), self.weight, self.bias)  # type: ignore[no-any-return]

    graph = graph_of(nn.Sequential(Padded()), torch.randn(1, 2, 5, 5))
    assert [(node.path, node.treatment) for node in graph.nodes] == [("0.pad", "same-scale"), ("0.conv", "output")]
    assert [(weight.path, weight.owners[0][1]) for weight in graph.nodes[1].weights] == [("0", "weight"), ("0", "bias")]


def test_steps_of_a_recurrent_layer_are_nodes_with_many_calls() -> None:
    layer = LSTM(3, 4)
    layer.force_stages = True
    graph = graph_of(layer, torch.randn(5, 1, 3))
    calls = {node.calls for node in graph.nodes}
    assert 5 in calls
    assert {"sigmoid", "tanh"} <= {node.name for node in graph.nodes}


def test_patterns_match_chains_that_nothing_else_reads() -> None:
    graph = graph_of(model(), torch.randn(2, 3, 8, 8))
    found = [[node.path for node in chain] for chain in Pattern(nn.Conv2d, nn.BatchNorm2d, "relu").match(graph)]
    assert found == [["conv", "bn", "relu"]]
    assert list(Pattern("max_pool2d", "sigmoid").match(graph)) == []  # cat reads it too
    assert [[node.path for node in chain] for chain in Pattern(("add", "linear")).match(graph)] == [["add"], ["fc"]]


@pytest.mark.parametrize("elements", [(), (3,), (int,)])
def test_patterns_of_nothing(elements: tuple[object, ...]) -> None:
    with pytest.raises(QprepError, match="in a pattern"):
        Pattern(*elements)  # type: ignore[arg-type]
