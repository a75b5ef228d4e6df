"""The models named in `[tool.qprep.trace.NAME]`, for `--trace NAME` and `--verify NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from qprep.foundation.suggestions import did_you_mean


class ExpectedError(Exception):
    """Says what a key takes."""


@dataclass(frozen=True, slots=True)
class TraceTarget:
    """A model to run: the flags of `qprep trace`, as texts; None if the command line or the default decides."""

    target: str
    input: tuple[str, ...] = ()
    inputs: str | None = None
    device: str | None = None
    timeout: float | None = None


_TYPES: Final[Mapping[str, tuple[str, type | tuple[type, ...]]]] = {
    "target": ("a string", str),
    "input": ("a string or a list of strings", (str, list)),
    "inputs": ("a string", str),
    "device": ("a string", str),
    "timeout": ("a number of seconds", (int, float)),
}


def read_targets(value: object) -> Mapping[str, TraceTarget]:
    """The targets of a `trace` table by name; ExpectedError with what was expected."""
    if not isinstance(value, dict):
        raise ExpectedError("a table of targets")
    return {name: _target(name, entry) for name, entry in value.items()}


def _target(name: str, entry: object) -> TraceTarget:
    if not isinstance(entry, dict):
        raise ExpectedError(f"a table for the target `{name}`")
    for key, value in entry.items():
        _check(f"{name}.{key}", key, value)
    if "target" not in entry:
        raise ExpectedError(f"{name}.target, as package.module:factory or path/file.py:factory")
    options: dict[str, Any] = dict(entry)
    given = options.get("input", [])
    options["input"] = (given,) if isinstance(given, str) else tuple(given)
    return TraceTarget(**options)


def _check(where: str, key: str, value: object) -> None:
    if key not in _TYPES:
        raise ExpectedError(f"keys {', '.join(_TYPES)}{did_you_mean(key, _TYPES, '`')}")
    expected, types = _TYPES[key]
    strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
    if not isinstance(value, types) or isinstance(value, bool) or not strings:
        raise ExpectedError(f"{expected} as {where}")
