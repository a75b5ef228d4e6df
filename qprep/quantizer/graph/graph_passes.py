"""The ordered list of named passes that plans a model's quantization."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from typing import Final

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.formats.spec import Range, Scheme
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node, spanning
from qprep.quantizer.methods.batchnorm_folding import fold_batch_norm
from qprep.quantizer.ranges.known_ranges import OUTPUTS, clamp_range, useful_input
from qprep.quantizer.ranges.masks import keep_masks

Pass = Callable[[Graph], None]

# Sums of products with a weight and, after them, a bias for each channel.
LAYERS: Final = (
    "linear",
    *(f"conv{dims}d" for dims in (1, 2, 3)),
    *(f"conv_transpose{dims}d" for dims in (1, 2, 3)),
)


class Passes:
    """Named functions `(graph) -> None` in order; users insert, replace and drop them."""

    def __init__(self, *passes: tuple[str, Pass]) -> None:
        self._passes = list(passes)

    def __iter__(self) -> Iterator[tuple[str, Pass]]:
        return iter(self._passes)

    def __len__(self) -> int:
        return len(self._passes)

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return [name for name, _ in self._passes]

    def append(self, new: str | Pass, function: Pass | None = None) -> None:
        """Run `function`, called `new`, after all others; a function alone is called by its own name."""
        self._insert(len(self._passes), new, function)

    def insert_before(self, name: str, new: str | Pass, function: Pass | None = None) -> None:
        """Run `function`, called `new`, before the pass `name`; a function alone is called by its own name."""
        self._insert(self._index(name), new, function)

    def insert_after(self, name: str, new: str | Pass, function: Pass | None = None) -> None:
        """Run `function`, called `new`, after the pass `name`; a function alone is called by its own name."""
        self._insert(self._index(name) + 1, new, function)

    def replace(self, name: str, function: Pass) -> None:
        """Run `function` instead of the pass `name`, under its name."""
        index = self._index(name)
        self._passes[index] = (self.names[index], _checked(function))

    def drop(self, name: str) -> None:
        """Leave the pass `name` out."""
        del self._passes[self._index(name)]

    def _insert(self, index: int, new: str | Pass, function: Pass | None) -> None:
        name = new if isinstance(new, str) else pass_name(new)
        made = _checked(new if function is None else function)
        if name in self.names:
            raise QprepError(f"expected a new name for a pass, found {name!r}, which there is already")
        self._passes.insert(index, (name, made))

    def _index(self, name: str) -> int:
        if _plain(name) in self.names:
            return self.names.index(_plain(name))
        if name in self.names:
            return self.names.index(name)
        hint = did_you_mean(name, self.names)
        raise QprepError(f"expected a pass among {', '.join(self.names)}, found {name!r}{hint}")


def pass_name(function: object) -> str:
    """A function's own name, as passes are named: "share-scales"."""
    return _plain(str(getattr(function, "__name__", type(function).__name__)))


def _plain(name: str) -> str:
    return name.replace("_", "-")


def _checked(function: object) -> Pass:
    if not callable(function):
        raise QprepError(f"expected a function of a graph as a pass, found {function!r}")
    return function


def plan_activations(graph: Graph) -> None:
    """Give each tensor between modules the format that the settings of the module that makes it ask for.

    Of what comes out of an operation in float, those of the first module that reads it count, and only readers get it
    quantized. Inputs and outputs of the model have passes of their own.
    """
    for edge in graph.edges:
        if edge.producer is not None and not _is_result(edge):
            _plan(edge, graph)


def quantize_inputs(graph: Graph) -> None:
    """Inputs of the model get the format of the first module that reads them, and only readers see them quantized."""
    for edge in graph.edges:
        if edge.producer is None:
            _plan(edge, graph)


def quantize_outputs(graph: Graph) -> None:
    """Results of the model that nothing in it reads get the format of the module that makes them."""
    for edge in graph.edges:
        if edge.producer is not None and _is_result(edge):
            _plan(edge, graph)


def _is_result(edge: Edge) -> bool:
    return edge.is_output and not edge.consumers


def _plan(edge: Edge, graph: Graph) -> None:
    if not edge.floating:
        return
    if edge.producer is not None and edge.producer.treatment != "float":
        edge.spec = graph.settings(edge.producer.path).activations
        return
    edge.readers = [node for node in edge.consumers if node.treatment != "float"]
    if edge.readers:
        edge.spec = graph.settings(edge.readers[0].path).activations


def plan_inner_slots(graph: Graph) -> None:
    """Formats of what modules read and of sums of products, where settings ask for some."""
    for node in graph.nodes:
        if node.treatment == "output":
            settings = graph.settings(node.path)
            node.reads = settings.inputs
            node.sums = settings.accumulator if node.name in LAYERS else None


def fuse_activations(graph: Graph) -> None:
    """Operation and clamping activation are one operation with one output range: nothing is quantized between."""
    for node in graph.nodes:
        if len(node.outputs) != 1 or node.treatment not in ("output", "float"):
            continue
        following = graph.only_consumer(node.outputs[0])
        if following is not None and clamp_range(following) is not None and following.calls == node.calls:
            node.outputs[0].spec = None


def fuse_sums(graph: Graph) -> None:
    """Products that only an addition reads stay in its accumulators: nothing is quantized between.

    As integer kernels of recurrent layers add: W x + U h, and f · c + i · g. In no default list, as runtimes have no
    such kernel for a convolution: `passes.insert_after("fuse-activations", "fuse-sums", fuse_sums)`.
    """
    for node in graph.nodes:
        if node.name not in ("add", "sub") or node.treatment != "output":
            continue
        for edge in node.inputs:
            producer = edge.producer
            is_product = producer is not None and producer.name in (*LAYERS, "mul", "matmul", "bmm")
            if is_product and graph.only_consumer(edge) is node:
                edge.spec = None


def fixed_ranges(graph: Graph) -> None:
    """Outputs that are bounded by the function need no observation."""
    for node in graph.nodes:
        if node.treatment == "fixed-range" and node.op is not None and node.op.name in OUTPUTS:
            for edge in node.outputs:
                edge.fixed = OUTPUTS[node.op.name]


def net_aware_ranges(graph: Graph) -> None:
    """Before a ReLU, ReLU6, clamp, hard-swish, sigmoid or tanh only what these can see is worth representing."""
    for edge in graph.edges:
        if edge.is_output or not edge.consumers:
            continue
        seen = [useful_input(node) for node in edge.consumers]
        edge.bounds = _union([each for each in seen if each is not None]) if None not in seen else None


def _union(ranges: list[Range]) -> Range | None:
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    return None if (low, high) == (-math.inf, math.inf) else (low, high)


def share_scales(graph: Graph) -> None:
    """Joins and selections (cat, stack, max pooling, padding …) give out what they are given: one scale for all."""
    for node in graph.nodes:
        if node.treatment != "same-scale":
            continue
        if not any(edge.consumers or edge.is_output for edge in node.outputs):
            for edge in node.outputs:  # nobody sees it: no reason to tie its inputs together
                edge.spec = None
            continue
        quantized = [edge for edge in (*node.inputs, *node.outputs) if edge.floating and edge.spec is not None]
        _pass_on_fixed_range(node)
        if len({edge.spec for edge in quantized}) != 1:
            continue  # formats differ: each keeps its own, and the output is requantized
        for edge in quantized[1:]:
            quantized[0].share_with(edge)
        if all(edge.spec is not None for edge in node.inputs if edge.floating):
            for edge in node.outputs:
                edge.inherits = not _adds_a_value(node)


def _pass_on_fixed_range(node: Node) -> None:
    """Bounds the output of a selection if all of its inputs are bounded."""
    inputs = [edge for edge in node.inputs if edge.floating]
    if not inputs or _adds_a_value(node):
        return
    fixed = reduce(spanning, (edge.leader.fixed for edge in inputs))
    for edge in node.outputs if fixed is not None else ():
        edge.leader.fixed = fixed


def _adds_a_value(node: Node) -> bool:
    """Padding with another constant than 0, which is not on its input's grid by itself."""
    return bool(getattr(node.module, "value", None))


def mark_rectified(graph: Graph) -> None:
    """Outputs of activations that give nothing below 0 (ReLU, ReLU6, a clamp at 0) get unsigned integers.

    So do joins and selections of these: they give out what they are given.
    """
    rectified: set[Edge] = set()
    for node in graph.nodes:
        known = clamp_range(node)
        inputs = [edge for edge in node.inputs if edge.floating]
        passed_on = node.treatment == "same-scale" and inputs and rectified.issuperset(inputs)
        if (passed_on and not _adds_a_value(node)) or (known is not None and known[0] >= 0):
            rectified.update(edge for edge in node.outputs if edge.floating)
    for edge in rectified:
        if edge.spec is not None and not edge.spec.is_float:
            edge.spec = replace(edge.spec, scheme=Scheme.UNSIGNED)


def keep_outputs(graph: Graph) -> None:
    """Leave the model's results in float; in no default list: `passes.insert_after("share-scales", …)`."""
    for edge in graph.outputs:
        edge.spec = None


def plan_layer_inputs(graph: Graph) -> None:
    """Quantize only what layers with weights read, each by itself: dynamic quantization."""
    for edge in graph.edges:
        edge.readers = [node for node in edge.consumers if node.weights and node.treatment == "output"]
        if edge.floating and edge.readers:
            edge.spec = graph.settings(edge.readers[0].path).activations


def default_passes() -> Passes:
    """The passes of a post-training quantizer, in order."""
    return Passes(
        ("fold-batch-norm", fold_batch_norm),
        ("plan-activations", plan_activations),
        ("quantize-inputs", quantize_inputs),
        ("quantize-outputs", quantize_outputs),
        ("plan-inner-slots", plan_inner_slots),
        ("fixed-ranges", fixed_ranges),
        ("net-aware-ranges", net_aware_ranges),
        ("fuse-activations", fuse_activations),
        ("keep-masks", keep_masks),
        ("share-scales", share_scales),
    )
