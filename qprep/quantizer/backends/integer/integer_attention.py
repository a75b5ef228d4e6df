# ruff: noqa: ANN401 -- values of any kind
"""Attention in one piece on integers: its products, its mask and its softmax by their own forms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from qprep.quantizer.backends.integer import integer_choices, integer_elementwise, integer_layers, integer_norms
from qprep.quantizer.backends.integer.integer_choices import filled
from qprep.quantizer.backends.integer.integer_elementwise import times
from qprep.quantizer.backends.integer.integer_tensor import IntegerTensor
from qprep.quantizer.graph.call_rows import Call

_FAR: Final = -1e9  # what a mask of booleans leaves out


def _attention(call: Call) -> Any:
    """softmax(q kᵀ · scale + mask) v; float where an operand is, where heads are shared, and under dropout."""
    given = call.arguments
    query, key, value = (given[name] for name in ("query", "key", "value"))
    if not all(isinstance(each, IntegerTensor) for each in (query, key, value)):
        return NotImplemented
    if given.get("enable_gqa") or given.get("dropout_p", 0.0):
        return NotImplemented
    turned = IntegerTensor(key.uniform().ints.transpose(-2, -1), key.uniform().scale, key.uniform().bits)
    scores = _run(integer_layers.FORMS, "matmul", input=query, other=turned)
    if scores is NotImplemented:
        return NotImplemented
    scale = given.get("scale")
    scores = _masked(times(scores, 1 / math.sqrt(query.shape[-1]) if scale is None else scale), given)
    if scores is NotImplemented:
        return NotImplemented
    shares = _run(integer_norms.FORMS, "softmax", input=scores, dim=-1)
    return _run(integer_layers.FORMS, "matmul", input=shares, other=value)


def _masked(scores: IntegerTensor, given: Mapping[str, Any]) -> Any:
    mask = given.get("attn_mask")
    if given.get("is_causal"):
        kept = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        return filled(scores, ~kept, _FAR)
    if mask is None:
        return scores
    if isinstance(mask, Tensor) and mask.dtype is torch.bool:
        return _run(integer_choices.FORMS, "masked_fill", input=scores, mask=~mask, value=_FAR)
    return _run(integer_elementwise.FORMS, "add", input=scores, other=mask)


def _run(forms: Mapping[str, Callable[[Call], Any]], name: str, **arguments: Any) -> Any:
    return forms[name](Call(name, None, arguments, False))


FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType({"scaled_dot_product_attention": _attention})
