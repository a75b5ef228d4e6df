"""The JSON Schema of `qprep.toml` and of `[tool.qprep]`, for editors that complete and check TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from qprep.engine.config.settings import TARGET_VERSIONS
from qprep.engine.config.settings_file import OUTPUT_FORMATS
from qprep.foundation.catalogue.targets import TARGETS

_STRINGS: Final = {"type": "array", "items": {"type": "string"}}
_RULES: Final = {**_STRINGS, "description": "codes, prefixes of codes, names, or ALL"}
_PATTERNS: Final = {**_STRINGS, "description": "patterns as in .gitignore, relative to this file"}
_TRACE_TARGET: Final = {
    "type": "object",
    "description": "a model that --trace and --verify run by this name",
    "properties": {
        "target": {"type": "string", "description": "package.module:factory or path/file.py:factory"},
        "input": {"description": "an input, or several: 1,3,224,224", "anyOf": [{"type": "string"}, _STRINGS]},
        "inputs": {"type": "string", "description": "what makes the inputs: module:name"},
        "device": {"type": "string"},
        "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "seconds"},
    },
    "required": ["target"],
    "additionalProperties": False,
}


def _flag(text: str) -> dict[str, Any]:
    return {"type": "boolean", "description": text}


def _choice(values: object, text: str) -> dict[str, Any]:
    return {"enum": list(values), "description": text}  # type: ignore[call-overload]


PROPERTIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "select": {**_RULES, "description": "rules to run: codes, prefixes of codes, names, or ALL"},
    "extend-select": {**_RULES, "description": "rules to run beside those selected"},
    "ignore": {**_RULES, "description": "rules not to run"},
    "per-file-ignores": {"type": "object", "description": "patterns and rules", "additionalProperties": _RULES},
    "fixable": {**_RULES, "description": "rules whose fixes may be applied"},
    "unfixable": {**_RULES, "description": "rules whose fixes may not be applied"},
    "unsafe-fixes": _flag("count, and apply, unsafe fixes too"),
    "exclude": {**_PATTERNS, "description": "patterns not to walk into; replaces the default"},
    "extend-exclude": {**_PATTERNS, "description": "more patterns not to walk into"},
    "respect-gitignore": _flag("leave out what git ignores"),
    "output-format": _choice(OUTPUT_FORMATS, "how to print findings"),
    "target-version": _choice(TARGET_VERSIONS, "oldest Python to support"),
    "show-unknown": _flag("list operations on values of unknown kind"),
    "baseline": {"type": "string", "description": "the file of findings that are not reported again"},
    "cache-dir": {"type": "string", "description": "the folder of earlier results"},
    "target": _choice(TARGETS, "whose modules rewritten code uses"),
    "catalogue": {
        "anyOf": [{"type": "string"}, _STRINGS],
        "description": "TOML files with rows for operators of your own, relative to this file",
    },
    "trace": {"type": "object", "additionalProperties": _TRACE_TARGET},
}


def schema() -> dict[str, Any]:
    """The schema as a document."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "The settings of qprep",
        "type": "object",
        "properties": {key: dict(value) for key, value in PROPERTIES.items()},
        "additionalProperties": False,
    }


def schema_text() -> str:
    """The schema as a file."""
    return json.dumps(schema(), indent=2) + "\n"
