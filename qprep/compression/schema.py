"""The JSON Schema of schedule files, made from the signatures of the classes that they name."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from qprep.compression.classes import injected, known_classes
from qprep.compression.policies.pruning import PruningPolicy
from qprep.compression.policies.regularization import RegularizationPolicy
from qprep.compression.quantizers import OWN, TRANSLATED
from qprep.compression.registry import Section, hints_of, parameters_of
from qprep.compression.schedule_file import VERSION
from qprep.quantizer.config.config_settings import NAMES

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_ARGS: Final[Mapping[Section, Any]] = {Section.PRUNERS: PruningPolicy, Section.REGULARIZERS: RegularizationPolicy}
_WHEN: Final = {
    "epochs": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
    "starting_epoch": {"type": "number", "minimum": 0},
    "ending_epoch": {"type": "number", "exclusiveMinimum": 0},
    "frequency": {"type": "number", "exclusiveMinimum": 0},
    "steps": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2},
}


def schema() -> dict[str, Any]:
    """The schema as plain data, JSON Schema 2020-12; classes of your own are in it once they are registered."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "schedule.yaml",
        "description": "The schedule of qprep compress",
        "type": "object",
        "additionalProperties": False,
        "required": ["policies"],
        "properties": {
            "version": {"const": VERSION},
            **{section.value: _section(section) for section in Section},
            "policies": {"type": "array", "minItems": 1, "items": {"anyOf": [_policy(each) for each in Section]}},
        },
    }


def schema_text() -> str:
    """`schema` as a file."""
    return json.dumps(schema(), indent=2) + "\n"


def _section(section: Section) -> dict[str, Any]:
    made = [_class(section, name, cls) for name, cls in sorted(known_classes(section).items())]
    return {"type": ["object", "null"], "additionalProperties": {"anyOf": made}}


def _class(section: Section, name: str, cls: type) -> dict[str, Any]:
    says = {"description": (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")}
    if section is Section.QUANTIZERS:
        known = [*NAMES, *OWN, "overrides", "bits_overrides", *TRANSLATED]
        properties: dict[str, Any] = {each: {} for each in known}
        return {**says, "type": "object", "properties": {"class": {"const": name}, **properties}, "required": ["class"]}
    parameters, hints = parameters_of(cls, injected(section)), hints_of(cls)
    return {
        **says,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "class": {"const": name},
            **{each: _argument(parameter, hints.get(each, Any)) for each, parameter in parameters.items()},
        },
        "required": [
            "class",
            *(each for each, parameter in parameters.items() if parameter.default is parameter.empty),
        ],
    }


def _policy(section: Section) -> dict[str, Any]:
    entry: dict[str, Any] = {"instance_name": {"type": "string"}}
    if section in _ARGS:
        maker = _ARGS[section]
        known, hints = parameters_of(maker, frozenset(("pruner", "regularizer", "name"))), hints_of(maker)
        args = {each: _argument(parameter, hints.get(each, Any)) for each, parameter in known.items()}
        entry["args"] = {"type": ["object", "null"], "additionalProperties": False, "properties": args}
    made = {
        "type": "object",
        "additionalProperties": False,
        "required": ["instance_name"],
        "properties": entry,
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [section.policy],
        "properties": {section.policy: made, **_WHEN},
    }


def _argument(parameter: inspect.Parameter, hint: Any) -> dict[str, Any]:  # noqa: ANN401
    made = _kind(hint)
    plain = parameter.default is None or isinstance(parameter.default, (bool, int, float, str))
    return {**made, "default": parameter.default} if plain else made


def _kind(hint: Any) -> dict[str, Any]:  # noqa: ANN401
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        options = [_kind(each) for each in inner]
        return {} if {} in options else {"anyOf": options}
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", **({"additionalProperties": _kind(inner[1])} if len(inner) == 2 else {})}
    if origin in (list, tuple, Sequence, Iterable):
        return {"type": "array", **({"items": _kind(inner[0])} if inner and inner[0] is not Any else {})}
    return {}
