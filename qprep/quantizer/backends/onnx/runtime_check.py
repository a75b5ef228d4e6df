"""Runs a file in ONNX Runtime, where that is installed, before it is written, and compares it with its model."""

from __future__ import annotations

import importlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from qprep.quantizer.backends.comparison import (
    Difference,
    Seen,
    first_difference,
    output_difference,
    refused,
    watched,
)
from qprep.quantizer.example_runs import run_example
from qprep.quantizer.graph.tensor_leaves import tensors_in

_FATAL = 4  # of ONNX Runtime's levels of messages


@dataclass(frozen=True, slots=True)
class WrittenSlot:
    """Where in a graph a slot's integers are: their name, those of scale and zero point."""

    slot: str
    integers: str
    scale: str
    zero: str


def compare(
    made: bytes, slots: Sequence[WrittenSlot], model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """QprepError where ONNX Runtime gives something else than `model`, with the name of the first slot that differs.

    Where ONNX Runtime is missing, or has no kernel for what the file asks for, there is nothing to compare with.
    """
    if find_spec("onnxruntime") is None:
        return
    inputs = list(tensors_in((args, kwargs)))
    found = _run(made, inputs)
    if found is None:
        return
    seen, returned = watched(model, lambda: run_example(model, (args, kwargs)))
    apart = output_difference(returned, found, _steps_of(returned, seen))
    if apart is None:
        return
    name, apart = _first_slot(made, slots, inputs, seen) or ("", apart)
    raise refused("ONNX Runtime to give what the simulation does", name, apart, "the file is not written")


def _steps_of(returned: Sequence[Tensor], seen: Sequence[Seen]) -> list[float]:
    """The step of the slot that gave each result; NaN where none did."""

    def step(tensor: Tensor) -> float:
        same = (each.step for each in reversed(seen) if torch.equal(each.values.flatten(), tensor.flatten()))
        return next(same, math.nan)

    return [step(each) for each in returned]


def _first_slot(
    made: bytes, slots: Sequence[WrittenSlot], inputs: Sequence[Tensor], seen: Sequence[Seen]
) -> tuple[str, Difference] | None:
    """The first slot whose integers differ, of those that run once."""
    onnx = importlib.import_module("onnx")
    proto = onnx.load_from_string(made)
    present = {name for node in proto.graph.node for name in node.output}
    times = Counter(each.name for each in seen)
    wanted = [each for each in slots if times[each.slot] == 1 and each.integers in present]
    for each in wanted:
        proto.graph.node.append(
            onnx.helper.make_node("DequantizeLinear", [each.integers, each.scale, each.zero], [f"{each.integers}:seen"])
        )
        proto.graph.output.append(
            onnx.helper.make_tensor_value_info(f"{each.integers}:seen", onnx.TensorProto.FLOAT, None)
        )
    found = _run(proto.SerializeToString(), inputs)
    if found is None:
        return None
    values = found[len(found) - len(wanted) :]
    return first_difference(seen, [Seen(each.slot, value) for each, value in zip(wanted, values, strict=True)])


def _run(made: bytes, inputs: Sequence[Tensor]) -> list[Tensor] | None:
    """The floating results on these inputs, None where ONNX Runtime cannot run it."""
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = _FATAL
    try:
        session = runtime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        feed = {name: tensor.detach().cpu().numpy() for name, tensor in zip(names, inputs, strict=True)}
        found = [torch.from_numpy(each) for each in session.run(None, feed)]
    except Exception:  # noqa: BLE001  (it raises classes of its own, for files that it has no kernels for)
        return None
    return [each for each in found if each.is_floating_point() and each.numel()]
