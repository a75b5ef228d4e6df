"""The passes over a module graph."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.catalogue.lookup import load
from qprep.foundation.errors import QprepError
from qprep.quantizer import PostTrainingQuantizer
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.graph.graph_passes import default_passes, fuse_sums
from qprep.quantizer.graph.pattern import Pattern
from qprep.quantizer.graph.quantization_graph import Graph
from qprep.quantizer.ranges.known_ranges import OUTPUTS, useful_input
from qprep.runtime_modules import LSTM
from tests.quantizer.graphs import graph_of, model


def planned() -> Graph:
    graph = graph_of(model(), torch.randn(2, 3, 8, 8))
    for _, function in default_passes():
        function(graph)
    return graph


def specs(graph: Graph) -> dict[str, bool]:
    return {node.path: node.outputs[0].spec is not None and not node.outputs[0].inherits for node in graph.nodes}


def test_folding_changes_no_output() -> None:
    original = model()
    folded = copy.deepcopy(original)
    data = torch.randn(4, 3, 8, 8)
    graph = graph_of(folded, data)
    dict(default_passes())["fold-batch-norm"](graph)
    assert isinstance(folded.bn, nn.Identity)
    assert folded.conv.bias is not None
    assert torch.allclose(folded(data), original(data), atol=1e-5)
    assert [node.path for node in graph.nodes][:2] == ["conv", "relu"]
    assert graph.nodes[1].inputs == graph.nodes[0].outputs


@pytest.mark.parametrize("groups", [1, 2])
def test_folding_into_transposed_convolutions(groups: int) -> None:
    torch.manual_seed(1)
    original = nn.Sequential(nn.ConvTranspose2d(4, 6, 3, groups=groups), nn.BatchNorm2d(6)).eval()
    norm = original[1]
    assert isinstance(norm, nn.BatchNorm2d)
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert tensor is not None
        nn.init.uniform_(tensor, 0.5, 2)
    folded = copy.deepcopy(original)
    data = torch.randn(1, 4, 5, 5)
    dict(default_passes())["fold-batch-norm"](graph_of(folded, data))
    assert isinstance(folded[1], nn.Identity)
    assert torch.allclose(folded(data), original(data), atol=1e-5)


def test_never_folded_behind_an_activation_or_into_a_shared_weight() -> None:
    behind = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.BatchNorm2d(2)).eval()
    tied = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1)).eval()
    tied[2].weight = tied[0].weight
    for module in (behind, tied):
        graph = graph_of(module, torch.randn(1, 2, 3, 3))
        dict(default_passes())["fold-batch-norm"](graph)
        assert any(isinstance(each, nn.BatchNorm2d) for each in module.modules())


def test_plan_of_a_block() -> None:
    graph = planned()
    assert specs(graph) == {
        "conv": False,  # one operation with its ReLU
        "relu": True,
        "add": True,
        "pool": False,  # the input's scale
        "sigmoid": True,
        "cat": False,
        "drop": False,
        "fc": True,
    }
    by_path = {node.path: node.outputs[0] for node in graph.nodes}
    assert by_path["sigmoid"].leader is by_path["add"].leader
    assert by_path["cat"].leader is by_path["add"].leader
    assert by_path["sigmoid"].leader.fixed is None  # shares a scale with what is not bounded
    assert by_path["relu"].leader is not by_path["add"].leader


def test_a_join_that_nobody_reads_ties_nothing() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = LSTM(3, 4, 2, force_stages=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x)[0]  # type: ignore[no-any-return]

    graph = graph_of(Last(), torch.randn(5, 1, 3))
    for _, function in default_passes():
        function(graph)
    cells = [node.outputs[0] for node in graph.nodes if node.path.endswith("cell_add")]
    assert len({id(edge.leader) for edge in cells}) == 2


def test_net_aware_ranges() -> None:
    chain = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Hardswish(), nn.Linear(2, 2), nn.ReLU6())
    graph = graph_of(chain, torch.randn(1, 2))
    for _, function in default_passes():
        function(graph)
    bounds = [node.outputs[0].bounds for node in graph.nodes]
    reach = 10 * math.log(2)  # sigmoid(6.93) is 1 at 8 bits
    assert bounds == [(-reach, reach), None, (-3.0, float("inf")), None, (0.0, 6.0), None]
    assert graph.nodes[1].outputs[0].fixed == (0.0, 1.0)


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("function", [nn.Sigmoid, nn.Tanh])
def test_saturating_functions_reach_their_top_level(function: type[nn.Module], bits: int) -> None:
    graph = graph_of(nn.Sequential(nn.Linear(2, 2), function()), torch.randn(1, 2))
    graph.nodes[1].outputs[0].spec = Spec(bits)
    known = useful_input(graph.nodes[1])
    assert known is not None
    low, _ = OUTPUTS[graph.nodes[1].name]
    top = function()(torch.tensor(known[1])).double()
    assert round(float((top - low) / (1 - low)) * (2**bits - 1)) == 2**bits - 1


def test_products_stay_in_the_sum_that_reads_them() -> None:
    graph = graph_of(LSTM(3, 4), torch.randn(5, 1, 3))
    passes = default_passes()
    passes.insert_after("fuse-activations", "fuse-sums", fuse_sums)
    for _, function in passes:
        function(graph)
    kept = {node.path.rpartition(".")[2] for node in graph.nodes if node.outputs[0].spec is None}
    assert {"input_linear", "hidden_linear", "forget_mul", "input_mul"} <= kept
    assert not {"gate_add", "cell_add", "hidden_mul", "cell_tanh"} & kept


def test_known_ranges_are_those_of_the_catalogue() -> None:
    assert set(OUTPUTS) == {op.name for op in load().ops if op.quantizer == "fixed-range"}
    names = {op.name for op in load().ops}
    for module in (nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-2, 3), nn.Sigmoid(), nn.Tanh(), nn.Hardsigmoid()):
        node = graph_of(module, torch.randn(3)).nodes[0]
        assert node.name in names
        known = useful_input(node)
        assert known is not None
        low, high = known
        outside = module(torch.tensor([low - 1, high + 1]).nan_to_num(0, 1e9, -1e9))
        ends = module(torch.tensor([low, high]).nan_to_num(0, 1e9, -1e9))
        assert torch.allclose(outside, ends, atol=1 / 256)


def test_passes_are_inserted_replaced_and_dropped() -> None:
    passes = default_passes()
    passes.insert_before("share-scales", "mine", lambda _: None)
    passes.insert_after("mine", "yours", lambda _: None)
    passes.drop("fold-batch-norm")
    assert passes.names[-3:] == ["mine", "yours", "share-scales"]
    assert "fold-batch-norm" not in passes.names
    with pytest.raises(QprepError, match="did you mean 'share-scales'"):
        passes.replace("share-scale", lambda _: None)
    with pytest.raises(QprepError, match="new name"):
        passes.insert_after("mine", "yours", lambda _: None)


def test_passes_in_other_spellings() -> None:
    def keep_it_simple(graph: Graph) -> None:
        """Nothing."""

    passes = default_passes()
    passes.insert_before("share_scales", keep_it_simple)
    passes.append(print)
    passes.replace("fold_batch_norm", keep_it_simple)
    assert passes.names[0] == "fold-batch-norm"
    assert passes.names[-3:] == ["keep-it-simple", "share-scales", "print"]
    assert dict(passes)["fold-batch-norm"] is keep_it_simple
    assert len(passes) == len(default_passes()) + 2
    with pytest.raises(QprepError, match="expected a function of a graph as a pass, found 'mine'"):
        passes.append("mine")
    with pytest.raises(QprepError, match="expected a function of a graph as a pass, found None"):
        passes.replace("share-scales", None)  # type: ignore[arg-type]


def test_inputs_and_outputs_of_the_model_have_passes_of_their_own() -> None:
    quantizers = []
    for dropped in ((), ("quantize-inputs",), ("quantize-outputs",)):
        quantizer = PostTrainingQuantizer(model())
        for name in dropped:
            quantizer.passes.drop(name)
        quantizer.prepare_model(torch.randn(2, 3, 8, 8))
        quantizers.append({each.name for each in quantizer.quantizers})
    everything, inputs, outputs = quantizers
    assert everything - inputs == {"input 0"}
    assert everything - outputs == {"fc"}


def test_a_third_party_pass_for_an_accelerator_that_adds_at_one_scale() -> None:
    def one_scale_at_add(graph: Graph) -> None:
        for (node,) in Pattern("add").match(graph):
            for edge in node.inputs:
                node.outputs[0].share_with(edge)

    passes = default_passes()
    passes.insert_after("share-scales", "one-scale-at-add", one_scale_at_add)
    graph = graph_of(model(), torch.randn(2, 3, 8, 8))
    for _, function in passes:
        function(graph)
    add = next(node for node in graph.nodes if node.path == "add")
    assert {id(edge.leader) for edge in (*add.inputs, *add.outputs)} == {id(add.outputs[0].leader)}
