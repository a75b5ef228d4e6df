# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of recurrent layers: one LSTM, GRU or RNN operator a layer, or a Scan over one recorded time step.

Operators: https://onnx.ai/onnx/operators (LSTM, GRU, RNN, Scan); torch orders gates i f g o and r z n, ONNX i o f c and
z r h. Weights are stored as integers and scaled by constants, which runtimes compute when they load the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from onnx import helper
from torch import Tensor

from qprep.quantizer.backends.onnx.builder import Builder, Value, onnx_type
from qprep.quantizer.backends.onnx.layer_forms import Form
from qprep.quantizer.backends.onnx.run_record import Recording, RecurrentLayer, Step
from qprep.quantizer.backends.onnx.sizes import Dim

_GATES: Final[Mapping[str, Sequence[int]]] = MappingProxyType(
    {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN_TANH": (0,), "RNN_RELU": (0,)}
)

WriteStep = Callable[[Builder, Step, Recording], None]


def _recurrent(b: Builder, given: dict[str, Any]) -> Any:
    layer: RecurrentLayer = given["layer"]
    x = b.value(given["input"])
    batched = len(x.shape) == 3
    name = b.float(x)
    if not batched:
        name = _unsqueezed(b, name, 1)
    elif layer.batch_first:
        name = b.op("Transpose", [name], perm=[1, 0, 2])
    states = [None if each is None else _state(b, each, batched) for each in given["hidden"]]
    last: list[list[str]] = [[], []]
    directions = 2 if layer.bidirectional else 1
    for number in range(layer.layers):
        parts = [layer.weights[number * directions + way] for way in range(directions)]
        initial = [each and _rows(b, each, number * directions, directions) for each in states]
        name, *ends = _layer(b, layer, name, parts, initial)
        for found, each in zip(last, ends, strict=False):
            found.append(each)
    if not batched:
        name = b.op("Squeeze", [name, b.constant([1], np.int64, "axes")])
    elif layer.batch_first:
        name = b.op("Transpose", [name], perm=[1, 0, 2])
    ends = [b.op("Concat", each, axis=0) if len(each) > 1 else each[0] for each in last if each]
    if not batched:
        ends = [b.op("Squeeze", [each, b.constant([1], np.int64, "axes")]) for each in ends]
    return [name, *ends]


def _unsqueezed(b: Builder, name: str, axis: int) -> str:
    return b.op("Unsqueeze", [name, b.constant([axis], np.int64, "axes")])


def _state(b: Builder, given: Any, batched: bool) -> str:
    name = b.float(given)
    return name if batched else _unsqueezed(b, name, 1)


def _rows(b: Builder, name: str, first: int, number: int) -> str:
    ends = [b.constant([each], np.int64, "end") for each in (first, first + number, 0)]
    return b.op("Slice", [name, *ends])


def _layer(
    b: Builder, layer: RecurrentLayer, name: str, parts: Sequence[Sequence[Tensor]], initial: Sequence[str | None]
) -> list[str]:
    """One layer: its output (T, B, directions · H), and its last states."""
    kind = layer.mode.partition("_")[0]
    order = _GATES[layer.mode]
    weights = [_joined(b, [_stored(b, part[place], order) for part in parts]) for place in (0, 1)]
    bias = ""
    if len(parts[0]) > 2:
        rows = [np.concatenate([_in_order(_numbers(part[place]), order) for place in (2, 3)]) for part in parts]
        bias = b.constant(np.stack(rows), np.float32, "bias")
    settings: dict[str, Any] = {"hidden_size": layer.hidden_size}
    if layer.bidirectional:
        settings["direction"] = "bidirectional"
    if kind == "GRU":
        settings["linear_before_reset"] = 1
    if layer.mode == "RNN_RELU":
        settings["activations"] = ["Relu"] * len(parts)
    given = [name, *weights, bias, "", *(each or "" for each in initial)]
    out, *ends = b.ops(kind, given, 3 if kind == "LSTM" else 2, **settings)
    if not layer.bidirectional:
        return [b.op("Squeeze", [out, b.constant([1], np.int64, "axes")]), *ends]
    turned = b.op("Transpose", [out], perm=[0, 2, 1, 3])
    flat = b.constant([0, 0, -1], np.int64, "shape")
    return [b.op("Reshape", [turned, flat]), *ends]


def _joined(b: Builder, names: Sequence[str]) -> str:
    tall = [_unsqueezed(b, name, 0) for name in names]
    return tall[0] if len(tall) == 1 else b.op("Concat", tall, axis=0)


def _numbers(tensor: Tensor) -> Any:
    return tensor.detach().float().cpu().numpy()


def _in_order(rows: Any, order: Sequence[int]) -> Any:
    """Rows of all gates, in ONNX's order."""
    gates = np.split(rows, len(order), axis=0)
    return np.concatenate([gates[place] for place in order])


def _stored(b: Builder, weight: Tensor, order: Sequence[int]) -> str:
    """The float values of a weight, gates in ONNX's order: from its integers where it is on a grid of rows."""
    found = b.value(weight).quantized
    if found is None or found.params.axis not in (None, 0) or found.params.group_size:
        return b.constant(_in_order(_numbers(weight), order), np.float32, "weight")
    ints = b.array(found.name)
    rows = (len(ints), 1)
    scale, zero = (
        np.broadcast_to(each.detach().cpu().numpy().reshape(-1, 1), rows)
        for each in (found.params.scale, found.params.zero_point)
    )
    name = b.constant(_in_order(ints, order), ints.dtype, found.name)
    floats = b.op("Cast", [name], to=onnx_type(torch.float32))
    if zero.any():
        floats = b.op("Sub", [floats, b.constant(_in_order(zero, order), np.float32, "zero_point")])
    return b.op("Mul", [floats, b.constant(_in_order(scale, order), np.float32, "scale")])


def looped(write: WriteStep) -> Form:
    """The form of a direction that runs its step for each time; `write` writes a step into a builder."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        body: Recording = given["body"]
        inner = Builder(b.slots, outer=b)
        number = len(given["projected"])
        infos = [_bound(inner, body, place) for place in range(len(body.inputs))]
        projected, states = infos[:number], infos[number:]
        for step in body.steps:
            inner.step = step
            write(inner, step, body)
        ends = [inner.op("Identity", [inner.float(ref)]) for ref in body.outputs]
        output = inner.op("Identity", [ends[0]])
        results = [helper.make_tensor_value_info(name, onnx_type(torch.float32), None) for name in (*ends, output)]
        graph = helper.make_graph(inner.nodes, f"step_{len(b.nodes)}", [*states, *projected], results)
        direction = [int(given["reverse"])]
        names = b.ops(
            "Scan",
            [*(b.float(each) for each in given["state"]), *(b.float(each) for each in given["projected"])],
            len(ends) + 1,
            body=graph,
            num_scan_inputs=number,
            scan_input_directions=direction * number,
            scan_output_directions=direction,
        )
        return [names[-1], *names[:-1]]

    return form


def _bound(inner: Builder, body: Recording, place: int) -> Any:
    tensor: Tensor = body.input_tensors[place]
    shape: tuple[Dim, ...] = tuple(tensor.shape)
    name = inner.unique(f"given{place}")
    inner.values[body.inputs[place]] = Value(shape, tensor.dtype, name)
    return helper.make_tensor_value_info(name, onnx_type(tensor.dtype), [None] * tensor.dim())


FORMS: Final[Mapping[str, Form]] = MappingProxyType({"recurrent": _recurrent})
