"""The JSON Schema of quant.yaml, made from the dataclass that holds its settings."""

from __future__ import annotations

import enum
import json
import types
import typing
from dataclasses import Field, fields
from typing import Any, Final

from qprep.quantizer.config.backend_presets import BACKENDS
from qprep.quantizer.config.config_settings import Bits, LayerSettings
from qprep.quantizer.formats.spec import FLOATS
from qprep.quantizer.methods.method_names import METHODS, OPTIONS
from qprep.quantizer.ranges.estimators import ESTIMATORS

_SAYS: Final = {
    "bits_activations": "Bits of outputs; null leaves them in float",
    "bits_weights": "Bits of parameters; null leaves them in float",
    "bits_bias": "Bits of biases; null leaves them in float",
    "bits_inputs": "Bits of a module's inputs; null leaves them unchanged",
    "bits_accumulator": "Bits of a layer's sums of products before its bias; null: exact",
    "scheme_accumulator": "Scheme of these sums: from a range to a scale and a zero point",
    "scheme_activations": "Scheme of activations: from a range to a scale and a zero point",
    "scheme_weights": "Scheme of weights: from a range to a scale and a zero point",
    "reduced_range": "Use half of the levels that the bits of activations allow",
    "signed_activations": "Use signed integers for asymmetric activations",
    "granularity_weights": "The part of a weight that has one scale",
    "group_size": "Number of successive weights that share a scale",
    "estimator_activations": "Estimator of the ranges of activations",
    "estimator_weights": "Estimator of the ranges of weights",
}


def schema() -> dict[str, Any]:
    """The schema as plain data, JSON Schema 2020-12."""
    hints = typing.get_type_hints(LayerSettings)
    settings = {each.name: _setting(each, hints[each.name]) for each in fields(LayerSettings)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "quant.yaml",
        "description": "The settings of qprep quantize",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "method": {"description": "As --method", "enum": list(METHODS)},
            "options": {
                "description": "Options of the method",
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": _options(),
            },
            "backend": {"description": "The backend whose formats are the defaults", "enum": [*BACKENDS, None]},
            "target": {"description": "The hardware whose registered passes run", "type": ["string", "null"]},
            "types": _list("Quantize only modules of these classes: torch.nn.modules.linear.Linear"),
            "passes": _list("Functions of the graph: package.module:function"),
            "defaults": {"description": "Settings of all modules", "$ref": "#/$defs/settings"},
            "overrides": {
                "description": "Settings by regular expressions that match a module's whole name, or a container's; "
                "the first that matches wins",
                "type": ["object", "null"],
                "propertyNames": {"format": "regex"},
                "additionalProperties": {"$ref": "#/$defs/settings"},
            },
        },
        "$defs": {
            "settings": {"type": ["object", "null"], "additionalProperties": False, "properties": settings},
        },
    }


def _list(description: str) -> dict[str, Any]:
    return {"description": description, "type": ["array", "null"], "items": {"type": "string"}}


def schema_text() -> str:
    """`schema` as a file."""
    return json.dumps(schema(), indent=2) + "\n"


def _options() -> dict[str, Any]:
    return {
        name: {"description": f"Of {method}", **_kind(type(default)), "minimum": 0, "default": default}
        for method, options in OPTIONS.items()
        for name, default in options.items()
    }


def _setting(field: Field[Any], hint: object) -> dict[str, Any]:
    described = {"description": _SAYS[field.name]} if field.name in _SAYS else {}
    kind = {"enum": list(ESTIMATORS)} if field.name.startswith("estimator_") else _kind(hint)
    default = field.default.value if isinstance(field.default, enum.Enum) else field.default
    return {**described, **kind, "default": default}


def _kind(hint: object) -> dict[str, Any]:
    if hint == Bits:
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 16}, {"enum": [*FLOATS, None]}]}
    if isinstance(hint, types.UnionType):
        return {"anyOf": [_kind(each) for each in typing.get_args(hint)]}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [each.value for each in hint]}
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return {"type": names[hint]} if isinstance(hint, type) and hint in names else {}
