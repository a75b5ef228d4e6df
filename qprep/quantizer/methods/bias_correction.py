"""Bias correction (Nagel et al., arXiv:1906.04721, section 4.2), with means measured on data, as a pass."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import Caller, batches_of, keywords_of
from qprep.quantizer.formats.tensor_quantizers import WeightQuantizer
from qprep.quantizer.graph.graph_passes import Pass
from qprep.quantizer.graph.insertion import weight_spec
from qprep.quantizer.graph.layer_rows import RowCollector, Rows, joined
from qprep.quantizer.graph.quantization_graph import Graph, Node, Weight
from qprep.quantizer.methods.batchnorm_folding import FOLDABLE, add_bias, can_fold

_ROWS: Final = 1024  # places of each batch at which the inputs' mean is taken


def bias_correction(loader: object, positional: int = 1) -> Pass:
    """Return a pass that subtracts from each bias the mean error of rounding the weight: (Q(w) - w) E[x].

    loader      batches as `calibrate` takes them, run once in float
    positional  number of inputs at the start of a tuple of the loader

    It covers linear layers and convolutions that have a bias or can get one. Insert it after passes that change
    weights: `q.passes.insert_after("fold-batch-norm", "bias-correction", bias_correction(loader))`. The pass raises
    QprepError for a loader without data.
    """

    def correct(graph: Graph) -> None:
        layers = [(node, _weight(node)) for node in graph.nodes if node.name in FOLDABLE and can_fold(node, graph)]
        collector = RowCollector([weight.parameter for _, weight in layers], _ROWS, seed=0)
        caller = Caller(positional, keywords_of(graph.model))
        batches = 0
        with torch.no_grad(), collector:
            for batch in batches_of(loader):
                caller.call(graph.model, batch)
                batches += 1
        if batches == 0:
            raise QprepError("expected data to correct biases with, found an empty loader")
        with torch.no_grad():
            for node, weight in layers:
                parts = collector.found[weight.parameter]
                if parts:
                    _correct(node, weight, joined(parts), graph)

    return correct


def _weight(node: Node) -> Weight:
    return next(each for each in node.weights if not each.is_bias)


def _correct(node: Node, weight: Weight, rows: Rows, graph: Graph) -> None:
    spec = weight_spec(weight, [node], graph)
    if spec is None or spec.is_float:
        return
    quantizer = WeightQuantizer(weight.name, spec)
    quantizer.fit(weight.parameter)
    error = quantizer.quantize(weight.parameter) - weight.parameter
    shift: Tensor = Rows(rows.values.mean(0, keepdim=True), None).output(error).squeeze(0)
    biases = [each for each in node.weights if each.is_bias]
    if biases:
        biases[0].parameter.sub_(shift)
    else:
        add_bias(-shift, weight.owners[0][0], node, graph)
