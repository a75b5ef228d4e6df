"""Runs a file in ONNX Runtime, where that is installed, before it is written, and compares it with its model."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.comparison import (
    LIMIT,
    Difference,
    Limit,
    SlotSeen,
    difference_error,
    first_difference,
    output_difference,
    steps_of,
    watched,
)
from qprep.quantizer.example_runs import run_example
from qprep.quantizer.graph.tensor_leaves import tensors_in

_FATAL: Final = 4  # of ONNX Runtime's levels of messages
_CLOSE: Final = Limit(30.0, 1.0)  # of the results: what is further apart is looked at slot by slot
_WHAT: Final = "the results of ONNX Runtime to equal the simulation"
_WHY: Final = "the file is not written"


@dataclass(frozen=True, slots=True)
class WrittenSlot:
    """The names of a slot's integers, scale and zero point in a graph."""

    slot: str
    integers: str
    scale: str
    zero: str


def loads(made: bytes) -> bool:
    """True if ONNX Runtime is installed and has kernels for all of the file."""
    if find_spec("onnxruntime") is None:
        return False
    import onnxruntime

    try:
        onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001  (of several kinds, none of which it exports)
        return False
    return True


def compare(
    made: bytes, slots: Sequence[WrittenSlot], model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """QprepError if ONNX Runtime gives something else than `model`, with the name of the first slot that differs.

    If ONNX Runtime is missing, or has no kernel for an operator of the file, there is nothing to compare with. A file
    that it rejects for another reason is a QprepError with that reason.
    """
    if find_spec("onnxruntime") is None:
        return
    inputs = list(tensors_in((args, kwargs)))
    found = _run(made, inputs)
    if found is None:
        return
    seen, returned = watched(model, lambda: run_example(model, (args, kwargs)))
    apart = output_difference(returned, found, steps_of(returned, seen), _CLOSE)
    if apart is None:
        return
    local = _forced(made, slots, inputs, seen)
    if local is None:
        if apart.breaks(LIMIT):
            raise difference_error(_WHAT, "", apart, _WHY)
        return
    first = first_difference(seen, local)
    if first is not None:
        raise difference_error(_WHAT, *first, _WHY)


def results_apart(made: bytes, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Difference | None:
    """The difference of the results of ONNX Runtime from those of `model`; None if it is small, or cannot be told."""
    found = _run(made, list(tensors_in((args, kwargs)))) if find_spec("onnxruntime") is not None else None
    if found is None:
        return None
    seen, returned = watched(model, lambda: run_example(model, (args, kwargs)))
    return output_difference(returned, found, steps_of(returned, seen), _CLOSE)


def _forced(
    made: bytes, slots: Sequence[WrittenSlot], inputs: Sequence[Tensor], seen: Sequence[SlotSeen]
) -> list[SlotSeen] | None:
    """The outputs of ONNX Runtime at each slot that runs once, if the slots before it agreed with the simulation.

    A value that is rounded to the other side is not a fault, and grows from layer to layer; so each slot's integers are
    an output of the graph, and what reads them reads an input instead. None if no slot can be cut so.
    """
    onnx = importlib.import_module("onnx")
    proto = onnx.load_from_string(made)
    graph = proto.graph
    makers = {name: node for node in graph.node for name in node.output}
    times, values = Counter(each.name for each in seen), {each.name: each.values for each in seen}
    once = Counter(each.integers for each in slots)
    wanted = [
        each
        for each in slots
        if times[each.slot] == 1 and once[each.integers] == 1 and _is_static(makers.get(each.integers))
    ]
    if not wanted:
        return None
    numbers = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    feed = list(inputs)
    for each in wanted:
        for node in graph.node:
            for place, name in enumerate(node.input):
                if name == each.integers:
                    node.input[place] = f"{each.integers}:given"
        scale, zero = numbers[each.scale], numbers[each.zero]
        levels = (values[each.slot].double() / float(scale)).round() + int(zero)
        kind = onnx.helper.np_dtype_to_tensor_dtype(zero.dtype)
        feed.append(torch.from_numpy(levels.numpy().astype(zero.dtype)))
        shape = list(levels.shape)
        graph.input.append(onnx.helper.make_tensor_value_info(f"{each.integers}:given", kind, shape))
        graph.output.append(onnx.helper.make_tensor_value_info(each.integers, kind, None))
    found = _run(proto.SerializeToString(), feed, len(wanted))
    if found is None:
        return None
    made_values = [
        (value.double() - int(numbers[each.zero])) * float(numbers[each.scale])
        for each, value in zip(wanted, found, strict=True)
    ]
    return [SlotSeen(each.slot, value) for each, value in zip(wanted, made_values, strict=True)]


def _is_static(node: Any) -> bool:  # noqa: ANN401
    """True if a node quantizes to a grid that is known ahead, or clips its result."""
    return node is not None and node.op_type in ("QuantizeLinear", "Clip")


def _run(made: bytes, inputs: Sequence[Tensor], last: int = 0) -> list[Tensor] | None:
    """The floating results on these inputs, or the `last` ones; None if ONNX Runtime has no kernel for the file."""
    runtime = importlib.import_module("onnxruntime")
    states = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    options = runtime.SessionOptions()
    options.log_severity_level = _FATAL
    try:
        session = runtime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        feed = {name: tensor.detach().cpu().numpy() for name, tensor in zip(names, inputs, strict=True)}
        outputs = [each.name for each in session.get_outputs()]
        found = [torch.from_numpy(each) for each in session.run(outputs[len(outputs) - last :] if last else None, feed)]
    except states.NotImplemented:
        return None
    except Exception as error:  # (it raises classes of its own)
        if last:  # of a graph that was cut for the comparison
            return None
        reason = str(error).strip().splitlines()[0]
        raise QprepError(f"expected a file that ONNX Runtime takes, found one that it rejects: {reason}") from error
    return found if last else [each for each in found if each.is_floating_point() and each.numel()]
