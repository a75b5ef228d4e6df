# ruff: noqa: ANN401 -- protocol buffers of the onnx package
"""The rules by which TensorRT reads quantized ONNX files, checked without it.

Source: NVIDIA TensorRT documentation, "Working with Quantized Types" (explicit quantization): symmetric INT8 alone, one
scale a tensor for activations, biases in float, weights per tensor or per output channel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from qprep.foundation.errors import QprepError

_NARROW = (TensorProto.INT8,)


def broken_rules(path: str | Path) -> list[str]:
    """A sentence for each node that TensorRT does not take, none where it takes the file."""
    graph = onnx.load(str(path)).graph
    held = {each.name: each for each in graph.initializer}
    return [sentence for node in graph.node if (sentence := _broken(node, held))]


def check_tensorrt(path: str | Path) -> None:
    """QprepError that lists what `broken_rules` finds."""
    found = broken_rules(path)
    if found:
        listed = "".join(f"\n  {each}" for each in found)
        raise QprepError(f'expected a file that TensorRT takes, by backend="tensorrt", found{listed}')


def _broken(node: Any, held: dict[str, Any]) -> str:
    if node.op_type == "DynamicQuantizeLinear":
        return f"{node.name}: a range that is computed in each run"
    if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
        return ""
    scale, zero = (held.get(name) for name in node.input[1:3])
    if scale is None or zero is None:
        return f"{node.name}: a scale or zero point that is computed"
    if zero.data_type not in _NARROW:
        return f"{node.name}: integers of {TensorProto.DataType.Name(zero.data_type)}, not INT8"
    if np.any(numpy_helper.to_array(zero)):
        return f"{node.name}: a zero point other than 0"
    if np.any(numpy_helper.to_array(scale) <= 0):
        return f"{node.name}: a scale that is not positive"
    given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if given.get("block_size"):
        return f"{node.name}: groups of weights in 8 bits"
    return ""
