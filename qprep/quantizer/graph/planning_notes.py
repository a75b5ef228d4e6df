"""What a plan does that its user may not expect: sentences for `Quantizer.notes`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qprep.quantizer.config.config_settings import Overrides
from qprep.quantizer.formats.affine import SCALE_FLOOR
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.quantization_graph import Graph


def planning_notes(graph: Graph, settings: Overrides) -> list[str]:
    """One sentence for each tied parameter whose names have conflicting overrides, and for each computed one."""
    return [*_tied(graph, settings), *_computed(graph, settings)]


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
            "(remove_parametrizations, remove_weight_norm, remove_spectral_norm) to have it quantized, left in float"
        )


def small_scales(slots: Iterable[TensorQuantizer]) -> list[str]:
    """One sentence for each slot whose values are so small that its scale is the least there is."""
    return [
        f"{slot.name or 'the model'}: has values below the least scale, {SCALE_FLOOR:.3g}, and loses them; scale it up"
        for slot in slots
        if slot.is_active and not slot.spec.is_float and bool((slot.grid.scale <= SCALE_FLOOR).any())
    ]
