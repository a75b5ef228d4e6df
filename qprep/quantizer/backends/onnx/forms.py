# ruff: noqa: ANN401 -- values of any kind
"""All ONNX forms by the names of the catalogue, and that of a slot."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import torch

from qprep.quantizer.backends.onnx import (
    comparison_forms,
    composed,
    elementwise_forms,
    layer_forms,
    layout_forms,
    norm_forms,
    pooling_forms,
    rearranging,
    recurrent_forms,
    special_forms,
)
from qprep.quantizer.backends.onnx.builder import Builder, Quantized, onnx_type
from qprep.quantizer.backends.onnx.layer_forms import Form
from qprep.quantizer.backends.onnx.layout_forms import same_grid
from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer


def _quantize(b: Builder, given: dict[str, Any]) -> Any:
    """A slot: QuantizeLinear, or what its format requires instead; nothing where a tensor is on the grid already."""
    assert b.step is not None  # noqa: S101  (forms are called for steps)
    slot, value = b.step.slot, b.value(given["input"])
    assert slot is not None  # noqa: S101  (the recorder gives one)
    own = getattr(slot, "onnx_form", None)
    if own is not None:
        return own(b, b.float(value))
    if slot.spec.dtype is not None:
        narrow = b.op("Cast", [b.float(value)], to=onnx_type(getattr(torch, slot.spec.dtype)))
        return b.op("Cast", [narrow], to=onnx_type(value.kind))
    if isinstance(slot, DynamicActivationQuantizer):
        return _dynamic(b, b.float(value), slot)
    params = b.activation_grid(slot.grid)
    if value.quantized is not None and same_grid(value.quantized.params, params):
        return value
    return b.quantized(b.float(value), slot.grid)


def _dynamic(b: Builder, name: str, slot: DynamicActivationQuantizer) -> Any:
    if (slot.spec.limits, slot.spec.scheme) != ((0, 255), "asymmetric"):
        raise b.fail("a dynamic range that is not 8 bits, asymmetric and unsigned")
    names = b.ops("DynamicQuantizeLinear", [name], 3)
    nothing = torch.zeros((), dtype=torch.int32)
    return Quantized(names[0], names[1], names[2], QParams(torch.ones(()) * torch.nan, nothing, 0, 255))


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        **layout_forms.FORMS,
        **rearranging.FORMS,
        **elementwise_forms.FORMS,
        **pooling_forms.FORMS,
        **layer_forms.FORMS,
        **norm_forms.FORMS,
        **composed.FORMS,
        **comparison_forms.FORMS,
        **recurrent_forms.FORMS,
        **special_forms.FORMS,
        "quantize": _quantize,
    }
)
