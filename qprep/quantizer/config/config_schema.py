"""The JSON Schema of quant.yaml, made from the dataclass that holds its settings."""

from __future__ import annotations

import enum
import json
import types
import typing
from dataclasses import Field, fields
from typing import Any, Final

from qprep.quantizer.config.backend_presets import BACKENDS
from qprep.quantizer.config.config_settings import Bits, Settings
from qprep.quantizer.formats.spec import FLOATS
from qprep.quantizer.methods.method_names import METHODS, OPTIONS
from qprep.quantizer.ranges.estimators import ESTIMATORS

_SAYS: Final = {
    "bits_activations": "Bits of outputs; null leaves them in float",
    "bits_weights": "Bits of parameters; null leaves them in float",
    "bits_bias": "Bits of biases; null leaves them in float",
    "bits_inputs": "Bits of what a module reads; null: as it comes",
    "bits_accumulator": "Bits of a layer's sums of products before its bias; null: exact",
    "scheme_accumulator": "How a range of such sums becomes a scale and a zero point",
    "scheme_activations": "How a range of activations becomes a scale and a zero point",
    "scheme_weights": "How a range of weights becomes a scale and a zero point",
    "reduced_range": "Whether activations have half as many levels as their bits allow",
    "signed_activations": "Whether integers of asymmetric activations are signed",
    "granularity_weights": "What has a scale of its own",
    "group_size": "How many successive weights share a scale, per group",
    "estimator_activations": "How ranges of activations are estimated from data",
    "estimator_weights": "How ranges of weights are estimated",
}


def schema() -> dict[str, Any]:
    """The schema as plain data, JSON Schema 2020-12."""
    hints = typing.get_type_hints(Settings)
    settings = {each.name: _setting(each, hints[each.name]) for each in fields(Settings)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "quant.yaml",
        "description": "What qprep quantize does to each module",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "method": {"description": "As --method", "enum": list(METHODS)},
            "options": {
                "description": "Numbers of the method's own",
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": _options(),
            },
            "backend": {"description": "Whose kernels' formats are the defaults", "enum": [*BACKENDS, None]},
            "target": {"description": "Whose registered passes are run", "type": ["string", "null"]},
            "types": _list("Classes of modules that alone are quantized: torch.nn.modules.linear.Linear"),
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
