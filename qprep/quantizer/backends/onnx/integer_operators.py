# ruff: noqa: ANN401 -- protocol buffers of the onnx package
"""Rewrites a file between QuantizeLinear and DequantizeLinear to ONNX's operators on integers, where there are some."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper


def with_integer_operators(model: Any) -> Any:
    """QLinearConv and QLinearMatMul for Conv and MatMul between integers; what has no such operator stays.

    A layer is rewritten where it reads integers and only one QuantizeLinear reads it. A linear layer with a bias has no
    operator of ONNX's own, nor has an addition.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    returned = {info.name for info in graph.output}
    replaced: dict[int, Any] = {}
    dropped: set[int] = set()
    for node in graph.node:
        following = readers.get(node.output[0], [])
        if len(following) != 1 or following[0].op_type != "QuantizeLinear" or node.output[0] in returned:
            continue
        made = _operator(node, following[0], makers)
        if made is not None:
            replaced[id(following[0])] = made
            dropped.add(id(node))
    nodes = [replaced.get(id(node), node) for node in graph.node if id(node) not in dropped]
    kept = _alive(nodes, returned)
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    initializers = [each for each in graph.initializer if each.name in used or _read_inside(kept, each.name)]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    onnx.checker.check_model(model)
    return model


def _operator(node: Any, quantize: Any, makers: dict[str, Any]) -> Any:
    """The operator on integers for a node and the QuantizeLinear behind it, None if there is none."""
    if node.op_type not in ("Conv", "MatMul"):
        return None
    parts: list[Any] = [makers.get(name) for name in node.input]
    if any(part is None or part.op_type != "DequantizeLinear" or len(part.input) < 2 for part in parts):
        return None
    if any(len(part.input) < 3 for part in parts[:2]):
        return None
    x, weight, *bias = parts
    if any(_attribute(part, "block_size") for part in (x, weight)):
        return None
    if node.op_type == "MatMul":
        given = [*x.input, *weight.input, *quantize.input[1:]]
        return helper.make_node("QLinearMatMul", given, list(quantize.output), name=node.name)
    if _attribute(weight, "axis") not in (None, 0) or len(quantize.input) < 3:
        return None
    given = [*x.input, *weight.input, *quantize.input[1:], *(part.input[0] for part in bias)]
    made = helper.make_node("QLinearConv", given, list(quantize.output), name=node.name)
    made.attribute.extend(node.attribute)
    return made


def _attribute(node: Any, name: str) -> Any:
    found = next((each for each in node.attribute if each.name == name), None)
    return None if found is None else helper.get_attribute_value(found)


def _alive(nodes: list[Any], returned: set[str]) -> list[Any]:
    needed, kept = set(returned), []
    for node in reversed(nodes):
        if needed.intersection(node.output) or any(attribute.HasField("g") for attribute in node.attribute):
            kept.append(node)
            needed.update(node.input)
            needed.update(name for name in _inside(node))
    return kept[::-1]


def _inside(node: Any) -> list[str]:
    graphs = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return [name for graph in graphs for each in graph.node for name in (*each.input, *_inside(each))]


def _read_inside(nodes: list[Any], name: str) -> bool:
    return any(name in _inside(node) for node in nodes)
