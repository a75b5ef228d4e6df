"""Read `qprep.toml`, or the `[tool.qprep]` table of a pyproject.toml, into typed options."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from qprep.engine.config.trace_targets import ExpectedError, TraceTarget, read_targets
from qprep.foundation.errors import QprepError
from qprep.foundation.regular_files import read_text
from qprep.foundation.suggestions import did_you_mean

_OWN_NAME = "qprep.toml"
CONFIG_NAMES = (_OWN_NAME, "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of one source: a configuration file, the command line, or a caller; None is unset."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    fixable: tuple[str, ...] | None = None
    unfixable: tuple[str, ...] = ()
    unsafe_fixes: bool | None = None
    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] = ()
    respect_gitignore: bool | None = None
    output_format: str | None = None
    target_version: str | None = None
    show_unknown: bool | None = None
    include_losses: bool | None = None
    baseline: str | None = None
    cache_dir: str | None = None
    target: str | None = None
    catalogue: tuple[str, ...] = ()
    trace: Mapping[str, TraceTarget] = field(default_factory=lambda: MappingProxyType({}))


def find_config(folder: Path) -> Path | None:
    """The configuration file of this very folder: qprep.toml, or a pyproject.toml with a [tool.qprep] table."""
    own = folder / _OWN_NAME
    if own.is_file():
        return own
    project = folder / "pyproject.toml"
    return project if project.is_file() and _table(project) is not None else None


def read_config(path: Path, choices: Mapping[str, Collection[str]]) -> Options:
    """Read a configuration file; `choices` are the values of some keys.

    Raises QprepError, naming file and key, for anything but known keys and values.
    """
    table = _table(path)
    if table is None:
        raise QprepError(f"{path}: expected a [tool.qprep] table, found none")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _READERS:
            raise QprepError(f"{path}: unknown key `{key}` in the qprep settings{did_you_mean(key, _READERS, '`')}")
        try:
            values[key.replace("-", "_")] = _READERS[key](value)
        except ExpectedError as error:
            raise QprepError(f"{path}: {key}: expected {error}, found {value!r}") from None
        if key in choices and value not in choices[key]:
            known = ", ".join(choices[key])
            raise QprepError(f"{path}: {key}: expected one of {known}, found {value!r}")
    return Options(**values)


def _table(path: Path) -> dict[str, Any] | None:
    try:
        document = tomllib.loads(read_text(path))
    except OSError as error:
        raise QprepError(f"{path}: the configuration cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors, tables without end
        raise QprepError(f"{path}: the configuration is not valid TOML: {error}") from error
    if path.name != "pyproject.toml":
        return document
    tool = document.get("tool", {})
    section = tool.get("qprep") if isinstance(tool, dict) else None
    if section is not None and not isinstance(section, dict):
        raise QprepError(f"{path}: tool.qprep: expected a table, found {section!r}")
    return section


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ExpectedError("a list of strings")
    return tuple(value)


_WINDOWS = re.compile(r"\\\w")  # what a backslash before it would escape needs none


def pattern_fault(patterns: Sequence[str]) -> str | None:
    """The message for patterns with a backslash that escapes nothing, which would match no file; else None."""
    is_windows = any(_WINDOWS.search(pattern) for pattern in patterns)
    return "patterns with `/` between folders, also on Windows" if is_windows else None


def _patterns(value: object) -> tuple[str, ...]:
    patterns = _strings(value)
    if fault := pattern_fault(patterns):
        raise ExpectedError(fault)
    return patterns


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ExpectedError("true or false")
    return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ExpectedError("a string")
    return value


def _paths(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else _strings(value)


def _per_file(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise ExpectedError("a table of patterns and lists of rules")
    if any(pattern.startswith("!") for pattern in value):
        raise ExpectedError("patterns without a leading `!`")
    patterns = _patterns(list(value))
    return tuple((pattern, _strings(value[pattern])) for pattern in patterns)


def _targets(value: object) -> Mapping[str, TraceTarget]:
    return MappingProxyType(dict(read_targets(value)))


_READERS: Mapping[str, Callable[[object], object]] = MappingProxyType(
    {
        "select": _strings,
        "extend-select": _strings,
        "ignore": _strings,
        "per-file-ignores": _per_file,
        "fixable": _strings,
        "unfixable": _strings,
        "unsafe-fixes": _flag,
        "exclude": _patterns,
        "extend-exclude": _patterns,
        "respect-gitignore": _flag,
        "output-format": _string,
        "target-version": _string,
        "show-unknown": _flag,
        "include-losses": _flag,
        "baseline": _string,
        "cache-dir": _string,
        "target": _string,
        "catalogue": _paths,
        "trace": _targets,
    }
)
