"""The JSON Schema of `qprep.toml` and of `[tool.qprep]`, for editors that complete and check TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from qprep.engine.config.output_formats import own_formats
from qprep.engine.config.settings import TARGET_VERSIONS
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
        "inputs": {"type": "string", "description": "a function that returns the inputs: module:name"},
        "device": {"type": "string", "description": "the device to run on"},
        "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "time limit in seconds"},
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
    "extend-select": {**_RULES, "description": "rules to run in addition to the selected ones"},
    "ignore": {**_RULES, "description": "rules to switch off"},
    "per-file-ignores": {
        "type": "object",
        "description": "rules to switch off, by pattern of the file",
        "additionalProperties": _RULES,
    },
    "fixable": {**_RULES, "description": "rules that may be fixed"},
    "unfixable": {**_RULES, "description": "rules that may not be fixed"},
    "unsafe-fixes": _flag("include unsafe fixes"),
    "exclude": {**_PATTERNS, "description": "files and folders to skip; replaces the default list"},
    "extend-exclude": {**_PATTERNS, "description": "more files and folders to skip"},
    "respect-gitignore": _flag("skip files that git ignores"),
    "output-format": _choice(own_formats(), "format of the findings"),
    "target-version": _choice(TARGET_VERSIONS, "the oldest Python version to support"),
    "show-unknown": _flag("list operations on values of unknown type"),
    "include-losses": _flag("report operations that only compute a loss"),
    "baseline": {"type": "string", "description": "a file of known findings, which are not reported"},
    "cache-dir": {"type": "string", "description": "the folder of the cache"},
    "target": _choice(TARGETS, "the library whose modules rewritten code uses"),
    "catalogue": {
        "anyOf": [{"type": "string"}, _STRINGS],
        "description": "TOML files that describe custom operators, relative to this file",
    },
    "trace": {"type": "object", "description": "models by name", "additionalProperties": _TRACE_TARGET},
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
