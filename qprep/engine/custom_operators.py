"""Rows of the catalogue that a user writes in TOML: the module of an operator of their own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from qprep.foundation.catalogue.call_signature import parse_constructor, parse_spelling
from qprep.foundation.catalogue.op import Dedicated, Op, OpClass, Result, RuleFamily
from qprep.foundation.errors import QprepError
from qprep.foundation.regular_files import read_text
from qprep.foundation.suggestions import did_you_mean

_SPELLING: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\([^()]*(?:\([^()]*\)[^()]*)*\)")
_MODULE: Final = re.compile(r"(?P<home>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.(?P<module>[A-Za-z_]\w*(?:\([\w, ]*\))?)")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "class": tuple(item.value for item in OpClass),
    "result": tuple(item.value for item in Result),
    "family": tuple(item.value for item in RuleFamily),
    "quantizer": ("output", "same-scale", "fixed-range", "float"),
}
_TEXTS: Final = ("name", "module", *_CHOICES)
_LISTS: Final = ("spellings", "drop", "weights")


def read_rows(path: Path) -> tuple[Op, ...]:
    """The rows of a TOML file, one `[[op]]` each; raises QprepError, naming file, row and key, for anything else."""
    try:
        document = tomllib.loads(read_text(path))
    except OSError as error:
        raise QprepError(f"{path}: the catalogue cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors, tables without end
        raise QprepError(f"{path}: the catalogue is not valid TOML: {error}") from error
    for key in document:
        if key != "op":
            raise QprepError(f"{path}: expected rows as [[op]], found `{key}`")
    rows = document.get("op", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise QprepError(f"{path}: expected rows as [[op]], found {rows!r}")
    return tuple(make_row(row, f"{path}: row {number}") for number, row in enumerate(rows, start=1))


def make_row(values: Mapping[str, Any], where: str) -> Op:
    """One row from its keys; raises QprepError that begins with `where`."""
    _check_known(values, where)
    for key in ("name", "spellings"):
        if not values.get(key):
            raise QprepError(f"{where}: expected a `{key}`, found none")
    for text in values["spellings"]:
        if not _SPELLING.fullmatch(text) or not parse_spelling(text).parameters:
            raise QprepError(f"{where}: spellings: expected one as `package.function(input, scale=1)`, found `{text}`")
    home, module = _module(values.get("module"), where)
    row = Op(
        values["name"],
        OpClass(values.get("class", "compute")),
        tuple(values["spellings"]),
        module=module,
        family=RuleFamily(values.get("family", "operator")),
        result=Result(values.get("result", "tensor")),
        drop=tuple(values.get("drop", ())),
        weights=tuple(values.get("weights", ())),
        quantizer=values.get("quantizer", "output"),
        dedicated=Dedicated(home, module or ""),
    )
    known = {parameter.name for text in row.spellings for parameter in parse_spelling(text).parameters}
    for name in parse_constructor(module).parameters if module else ():
        if name not in known and name != "inplace":
            raise QprepError(
                f"{where}: module: `{name}` is not a parameter of a spelling{did_you_mean(name, known, '`')}"
            )
    return row


def _check_known(values: Mapping[str, Any], where: str) -> None:
    for key, value in values.items():
        if key in _TEXTS:
            if not isinstance(value, str):
                raise QprepError(f"{where}: {key}: expected a string, found {value!r}")
            if key in _CHOICES and value not in _CHOICES[key]:
                raise QprepError(f"{where}: {key}: expected one of {', '.join(_CHOICES[key])}, found {value!r}")
        elif key in _LISTS:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise QprepError(f"{where}: {key}: expected a list of strings, found {value!r}")
        else:
            raise QprepError(f"{where}: unknown key `{key}`{did_you_mean(key, (*_TEXTS, *_LISTS), '`')}")


def _module(text: str | None, where: str) -> tuple[str, str | None]:
    if text is None:
        return "", None
    match = _MODULE.fullmatch(text)
    if match is None:
        raise QprepError(f"{where}: module: expected a class as `package.Class(scale)`, found `{text}`")
    return match["home"], match["module"]
