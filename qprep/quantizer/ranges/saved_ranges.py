"""Ranges from statistics that were collected before: what calibration would observe, read from a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.spec import Range
from qprep.quantizer.formats.tensor_quantizers import ActivationQuantizer
from qprep.quantizer.graph.quantization_graph import Edge, Graph
from qprep.quantizer.ranges.range_rules import MinMax

_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {"average": ("avg_min", "avg_max")}  # by the estimator that asks


def set_ranges(graph: Graph, slots: Iterable[ActivationQuantizer], modules: Mapping[str, Mapping[str, Any]]) -> None:
    """Fix the range of every slot by the numbers of `modules`, see `Statistics`.

    Tensors that share a scale have the range of all. Of BatchNorm that was folded its own output counts. Raises
    QprepError, with the slots' names, where the statistics say nothing of a tensor.
    """
    edges: dict[str, list[Edge]] = {}
    names: dict[int, str] = {}
    for edge in graph.edges:
        if edge.spec is None:
            continue
        name = names.setdefault(id(edge.leader), _name(edge))
        edges.setdefault(name, []).append(edge)
    missing = []
    for slot in slots:
        if slot.needs_data:
            found = [_range(edge, modules, slot.spec.estimator) for edge in edges.get(slot.name, [])]
            known = [bound for each in found if each is not None for bound in each]
            if not known:
                missing.append(slot.name)
                continue
            slot.estimator = MinMax()
            slot.observe(slot.scale.new_tensor(known))
        slot.freeze()
    if missing:
        raise QprepError(f"expected statistics of every tensor that is quantized, found none of {', '.join(missing)}")


def _name(edge: Edge) -> str:
    return f"input {edge.index}" if edge.producer is None else edge.producer.path


def _range(edge: Edge, modules: Mapping[str, Mapping[str, Any]], estimator: str) -> Range | None:
    low, high = _BOUNDS.get(estimator, ("min", "max"))
    entries = [modules.get(edge.origin, {}).get("output" if edge.index == 0 else f"output_{edge.index}")]
    if not edge.origin:
        places = [(node.path, at) for node in edge.consumers for at, each in node.places.items() if each is edge]
        entries = [modules.get(path, {}).get("inputs", {}).get(at) for path, at in places]
    found = next((each for each in entries if each is not None), None)
    return None if found is None else (float(found[low]), float(found[high]))
