"""The plan of the passes as data: the quantized tensors, their formats, and shared scales."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.graph.graph_passes import Pass, Passes
from qprep.quantizer.graph.quantization_graph import Graph


def plan_of(graph: Graph) -> dict[str, Any]:
    """The plan of a graph as plain values."""
    edges = list(graph.edges)
    number = {id(edge): index for index, edge in enumerate(edges)}
    places = {id(node): index for index, node in enumerate(graph.nodes)}
    return {
        "nodes": [_named(node.path, node.name) for node in graph.nodes],
        "slots": [[_spec_data(each) for each in (node.reads, node.sums)] for node in graph.nodes],
        "edges": [
            {
                "spec": _spec_data(edge.spec),
                "leader": number.get(id(edge.leader), index),
                "inherits": edge.inherits,
                "fixed": _pair(edge.fixed),
                "bounds": _pair(edge.bounds),
                "readers": None if edge.readers is None else [places[id(node)] for node in edge.readers],
            }
            for index, edge in enumerate(edges)
        ],
    }


def set_plan(graph: Graph, plan: dict[str, Any]) -> None:
    """Let `graph` be quantized as `plan` says; QprepError if it is the graph of another model."""
    edges = list(graph.edges)
    found = [_named(node.path, node.name) for node in graph.nodes]
    if found != plan["nodes"] or len(edges) != len(plan["edges"]):
        other = next((a for a, b in zip(found, plan["nodes"], strict=False) if a != b), "another number of operations")
        raise QprepError(f"expected the model that was saved, prepared by the same passes, found {other}")
    for node, (reads, sums) in zip(graph.nodes, plan["slots"], strict=True):
        node.reads, node.sums = _spec(reads), _spec(sums)
    for edge, kept in zip(edges, plan["edges"], strict=True):
        edge.spec = _spec(kept["spec"])
        edge.inherits = kept["inherits"]
        edge.fixed, edge.bounds = _unpair(kept["fixed"]), _unpair(kept["bounds"])
        edge.readers = None if kept["readers"] is None else [graph.nodes[place] for place in kept["readers"]]
        edge.set_leader(edges[kept["leader"]])


def _spec_data(spec: Spec | None) -> dict[str, Any] | None:
    return None if spec is None else spec.to_data()


def _spec(data: dict[str, Any] | None) -> Spec | None:
    return None if data is None else Spec.from_data(data)


def passes_of(passes: Passes) -> list[tuple[str, str]]:
    """Each pass's name and the function's own."""
    return [(name, function_name(function)) for name, function in passes]


def set_passes(passes: Passes, saved: Iterable[tuple[str, str]], given: Mapping[str, Pass], restore: Pass) -> None:
    """Make `passes` those that were saved: code that is not there is left out, as the plan holds what it decided.

    `given` are passes of the user's own by their names; `restore` runs before quantizers are put in.
    """
    known = dict(passes)
    wanted = dict(saved)
    for name in given:
        if name not in wanted:
            raise QprepError(f"expected passes among {', '.join(wanted)}, found {name!r}")
    unchanged = {name: function for name, function in known.items() if function_name(function) == wanted.get(name)}
    for name in known:
        passes.drop(name)
    for name in wanted:
        function = given.get(name, unchanged.get(name))
        if function is not None:
            passes.append(name, function)
    passes.insert_before("insert-observers", "restore-plan", restore)


def function_name(function: Callable[..., object]) -> str:
    """The qualified name of a function: "qprep.quantizer.graph.graph_passes.share_scales"."""
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__name__)}"


def _named(path: str, name: str) -> str:
    return f"{path} ({name})"


def _pair(found: tuple[float, float] | None) -> list[float] | None:
    return None if found is None else [float(bound) for bound in found]


def _unpair(kept: list[float] | None) -> tuple[float, float] | None:
    return None if kept is None else (kept[0], kept[1])
