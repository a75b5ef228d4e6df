# ruff: noqa: ANN401 -- protocol buffers of the onnx package
"""Keeps layers with weights in float as they are: ONNX Runtime would quantize such weights by itself.

Between a DequantizeLinear and a QuantizeLinear it gives a constant weight in float int8 values and one scale for all
channels (its pass WeightBiasQuantization). A Clip without bounds between the DequantizeLinear and the layer changes no
value, and the pass does not apply.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Final

from onnx import helper

_LAYERS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def kept_in_float(nodes: Sequence[Any], initializers: Container[str]) -> list[Any]:
    """`nodes`, with a Clip without bounds before each layer that reads integers and a weight in float."""
    makers = {name: node for node in nodes for name in node.output}
    kept: list[Any] = []
    for node in nodes:
        if node.op_type in _LAYERS and _is_dequantized(node.input[0], makers):
            weight = node.input[1]
            if _is_constant(weight, makers, initializers):
                kept.append(_unbounded_clip(node))
        kept.append(node)
    return kept


def _is_dequantized(name: str, makers: dict[str, Any]) -> bool:
    """True if a DequantizeLinear gives a tensor, perhaps in another layout."""
    node = makers.get(name)
    while node is not None and node.op_type in ("Transpose", "Reshape", "Identity", "Flatten", "Squeeze", "Unsqueeze"):
        node = makers.get(node.input[0])
    return node is not None and node.op_type == "DequantizeLinear"


def _is_constant(name: str, makers: dict[str, Any], initializers: Container[str]) -> bool:
    """True for a tensor that is known ahead and comes from no integers."""
    node = makers.get(name)
    if node is None:
        return name in initializers
    return node.op_type != "DequantizeLinear" and all(_is_constant(each, makers, initializers) for each in node.input)


def _unbounded_clip(layer: Any) -> Any:
    """A Clip of the layer's input; the layer reads its result."""
    read = layer.input[0]
    layer.input[0] = f"{layer.output[0]}:input"
    return helper.make_node("Clip", [read], [layer.input[0]], name=f"{layer.name}/Clip")
