"""Layers that a quantizer left in float, with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.quantizer.graph.insertion import weight_spec
from qprep.quantizer.graph.quantization_graph import Node
from qprep.quantizer.prepared_model import PreparedModel
from qprep.quantizer.report.report_data import FloatPart


def left_in_float(quantizer: PreparedModel) -> Iterator[FloatPart]:
    """Operations and parameters without a format, where the settings ask for one in general.

    Biases are not among them unless the settings ask for their format: integer runtimes keep them at 32 bits.
    """
    for note in dict.fromkeys(quantizer.notes):
        name, _, why = note.rpartition(": ")
        if why.endswith("it stays in float"):
            yield FloatPart(name, why)
    yield from _never_run(quantizer)
    for node in quantizer.graph.nodes:
        reason = _reason(quantizer, node)
        if reason is not None:
            yield FloatPart(f"{node.path or 'the model'} ({type(node.module).__name__})", reason)
    yield from _parameters(quantizer)


def _never_run(quantizer: PreparedModel) -> Iterator[FloatPart]:
    graph = quantizer.graph
    held = set(graph.model.parameters())  # not those of a BatchNorm that was folded away
    unread = [each for each in graph.weights if not any(each in node.weights for node in graph.nodes)]
    for path in dict.fromkeys(each.path for each in unread if each.parameter in held and not graph.ran(each.path)):
        yield FloatPart(path or "the model", "did not run on the example inputs")


def _reason(quantizer: PreparedModel, node: Node) -> str | None:
    settings, defaults = quantizer.graph.settings(node.path), quantizer.settings.defaults
    if not node.owned or not any(edge.floating for edge in node.outputs):
        return None
    if node.treatment == "float":
        return f"{node.name} has no quantized form"
    if defaults.asks and not settings.asks:
        return "its settings have no format"
    if defaults.bits_activations is not None and settings.bits_activations is None:
        return "bits_activations is None for it"
    return None


def _parameters(quantizer: PreparedModel) -> Iterator[FloatPart]:
    graph, defaults = quantizer.graph, quantizer.settings.defaults
    for weight in graph.weights:
        users = [node for node in graph.nodes if weight in node.weights]
        asked = defaults.bits_bias if weight.is_bias else defaults.bits_weights
        if weight.quantizer is not None or not users or asked is None:
            continue
        settings = graph.settings(weight.name)
        if any(node.name == "batch_norm" for node in users):
            yield FloatPart(weight.name, "BatchNorm becomes part of the scales of the layer before it")
        elif any(node.treatment == "float" for node in users) or not settings.asks or weight.part_of is not None:
            continue  # said of its module, or in a note
        elif weight_spec(weight, users, graph) is None:
            yield FloatPart(weight.name, f"{'bits_bias' if weight.is_bias else 'bits_weights'} is None for it")
        else:
            yield FloatPart(weight.name, f"{type(quantizer).__name__} leaves parameters of one dimension")
