# ruff: noqa: ANN401 -- protocol buffers of the onnx package
"""Rewrites a file between QuantizeLinear and DequantizeLinear to ONNX's operators on integers, where there are some."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


def with_integer_operators(model: Any) -> Any:
    """QLinearConv and QLinearMatMul for Conv and MatMul between integers; what has no such operator stays.

    A layer is rewritten where it reads integers and only one QuantizeLinear reads it, or a Relu or Clip before that,
    which then clips integers. A linear layer with a bias has no operator of ONNX's own, nor has an addition.
    """
    graph = model.graph
    numbers = {each.name: each for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    returned = {info.name for info in graph.output}
    replaced: dict[int, list[Any]] = {}
    dropped: set[int] = set()
    for node in graph.node:
        clamps, quantize = _followed(node, readers, returned)
        levels = None if quantize is None else _levels(clamps, quantize, numbers)
        made = None if levels is None else _operator(node, quantize, makers)
        if made is not None:
            replaced[id(quantize)] = [made, *_clipped(made, levels, graph)]
            dropped.update(map(id, (node, *clamps)))
    nodes = [each for node in graph.node if id(node) not in dropped for each in replaced.get(id(node), [node])]
    kept = _alive(nodes, returned)
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    initializers = [each for each in graph.initializer if each.name in used or _read_inside(kept, each.name)]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    onnx.checker.check_model(model)
    return model


def _followed(node: Any, readers: dict[str, list[Any]], returned: set[str]) -> tuple[list[Any], Any]:
    """The clamps behind a node, and the one QuantizeLinear that reads the last of them; None if there is no such."""
    clamps: list[Any] = []
    while True:
        (name,) = node.output[:1]
        following = readers.get(name, [])
        if len(following) != 1 or name in returned:
            return clamps, None
        node = following[0]
        if node.op_type == "QuantizeLinear":
            return clamps, node
        if node.op_type not in ("Relu", "Clip") or node.input[0] != name:
            return clamps, None
        clamps.append(node)


def _levels(clamps: list[Any], quantize: Any, numbers: dict[str, Any]) -> Any:
    """The lowest and highest integer behind clamps, as an array of the integers' type; None if one is unknown.

    Rounding keeps the order of numbers: an integer of what is clamped is that of the number, clamped.
    """
    if not clamps:
        return ()
    scale, zero = (numbers.get(name) for name in (*quantize.input[1:3], "", "")[:2])
    if scale is None or zero is None or numpy_helper.to_array(scale).size != 1:
        return None
    step, offset = numpy_helper.to_array(scale).reshape(()), numpy_helper.to_array(zero).reshape(())
    bounds = [_bounds(each, numbers) for each in clamps]
    low, high = max(each[0] for each in bounds), min(each[1] for each in bounds)
    if low > high:
        return None
    limits = np.iinfo(offset.dtype)
    found = [float(np.round(np.float32(bound) / step)) + int(offset) for bound in (low, high)]
    return np.clip(found, limits.min, limits.max).astype(offset.dtype)


def _clipped(made: Any, levels: Any, graph: Any) -> list[Any]:
    """A Clip behind an operator on integers; no node if the integers end at these levels by themselves."""
    if not len(levels) or list(levels) == [np.iinfo(levels.dtype).min, np.iinfo(levels.dtype).max]:
        return []
    (name,) = made.output
    made.output[0] = f"{name}:sums"
    bounds = [f"{name}:{side}" for side in ("low", "high")]
    graph.initializer.extend(map(numpy_helper.from_array, levels, bounds))
    return [helper.make_node("Clip", [made.output[0], *bounds], [name], name=f"{name}/Clip")]


def _bounds(clamp: Any, numbers: dict[str, Any]) -> tuple[float, float]:
    """The range that a Relu or Clip leaves; an empty one if a bound is computed."""
    if clamp.op_type == "Relu":
        return 0.0, math.inf
    found = []
    for name, default in zip((*clamp.input[1:], "", "")[:2], (-math.inf, math.inf), strict=True):
        known = numbers.get(name)
        if name and known is None:
            return math.inf, -math.inf
        found.append(default if known is None else float(numpy_helper.to_array(known)))
    return found[0], found[1]


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
