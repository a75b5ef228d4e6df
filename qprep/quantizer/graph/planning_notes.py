"""Notes about a plan that may surprise its user: sentences for `Quantizer.notes`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qprep.quantizer.config.config_settings import Overrides
from qprep.quantizer.formats.affine import SCALE_FLOOR
from qprep.quantizer.formats.spec import Granularity, Scheme
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.quantization_graph import Edge, Graph
from qprep.quantizer.ranges.known_ranges import clamp_range


def planning_notes(graph: Graph, settings: Overrides) -> list[str]:
    """One sentence for each tied parameter whose names have conflicting overrides, for each computed one, for each
    override that changes nothing, for each format of an output that the activation behind it decides, and for a size of
    groups that no weight has.
    """
    sources = (_tied, _computed, _idle, _fused, _groups)
    return [note for source in sources for note in source(graph, settings)]


def _groups(graph: Graph, settings: Overrides) -> Iterator[str]:
    """A size of groups without groups."""
    asked = settings.defaults
    if asked.group_size and all(
        settings(each.name).granularity_weights is not Granularity.GROUP for each in graph.weights
    ):
        yield (
            f"group_size={asked.group_size} is not used, as granularity_weights is {str(asked.granularity_weights)!r}: "
            'set it to "per-group"'
        )


def _fused(graph: Graph, settings: Overrides) -> Iterator[str]:
    """Operations that are one with the activation behind them, and whose own bits are not those of its output."""
    for node in graph.nodes:
        asked = settings(node.path).bits_activations
        is_own = node.owned and asked not in (None, settings.defaults.bits_activations)
        if not is_own or len(node.outputs) != 1 or node.outputs[0].spec is not None:
            continue
        following = graph.only_consumer(node.outputs[0])
        if following is None or clamp_range(following) is None or len(following.outputs) != 1:
            continue
        spec = following.outputs[0].spec
        if spec is not None and not spec.is_float and spec.bits != asked:
            yield (
                f"{node.path}: its output is quantized behind {following.path}, to {spec.bits} bits, not to {asked}: "
                f"set bits_activations of {following.path}"
            )


def _idle(graph: Graph, settings: Overrides) -> Iterator[str]:
    """Overrides that never count, and formats that they ask for where nothing has that format.

    Over-approximates what counts: modules that bring their own formats are taken to read all settings.
    """
    own = {node.path for node in graph.nodes if node.op is None}
    places = {
        "_weights": {each.name for each in graph.weights if not each.is_bias},
        "_bias": {each.name for each in graph.weights if each.is_bias},
        "_activations": {path for edge in graph.edges if edge.spec is not None for path in _deciders(edge)},
    }
    for each in settings.reach():
        if not each.won:
            yield f"the override {each.override!r} is never used: earlier ones match everything that it matches"
            continue
        for name, value in each.values.items():
            ending = next((end for end in places if name.startswith("bits_") and name.endswith(end)), None)
            if ending is None or value is None or own.intersection(each.matched):
                continue
            if places[ending].isdisjoint(each.matched):
                yield f"the override {each.override!r} sets {name}, and nothing that it matches is quantized by it"


def _deciders(edge: Edge) -> Iterator[str]:
    """The paths whose settings may have decided the format of an edge."""
    if edge.producer is not None:
        yield edge.producer.path
    yield from (node.path for node in (edge.consumers if edge.readers is None else edge.readers))


def _tied(graph: Graph, settings: Overrides) -> Iterator[str]:
    for weight in graph.weights:
        others = settings.conflicts(weight.name)
        if others:
            names = ", ".join(others)
            yield f"{weight.name}: overrides conflict for {names}, the same tensor; the first match is used"


def _computed(graph: Graph, settings: Overrides) -> Iterator[str]:
    parts: dict[str, list[str]] = {}
    for weight in graph.weights:
        if weight.part_of is not None and settings(weight.name).bits_weights is not None:
            parts.setdefault(weight.part_of, []).append(weight.name)
    for computed, names in parts.items():
        yield (
            f"{computed}: computed in each forward from {', '.join(names)}, make it permanent before "
            "(remove_parametrizations, remove_weight_norm, remove_spectral_norm) to quantize it; it stays in float"
        )


def small_scales(slots: Iterable[TensorQuantizer]) -> list[str]:
    """One sentence for each slot whose values are so small that its scale is the least there is."""
    return [
        f"{slot.name or 'the model'}: loses values below the smallest scale, {SCALE_FLOOR:.3g}: scale it up"
        for slot in slots
        if slot.is_active and not slot.spec.is_float and bool((slot.grid.scale <= SCALE_FLOOR).any())
    ]


def lost_signs(slots: Iterable[TensorQuantizer]) -> list[str]:
    """One sentence for each slot with unsigned integers whose values are below zero."""
    return [
        f"{slot.name or 'the model'}: its negative values become 0, as its scheme is unsigned"
        for slot in slots
        if slot.is_active
        and slot.spec.scheme is Scheme.UNSIGNED
        and slot.flag("signed")
        and slot.grid.low == 0
        and not slot.grid.zero_point.any()
    ]
