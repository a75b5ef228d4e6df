"""Rules, rewrites and catalogue rows of other packages, found by the entry point group `qprep.plugins`."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from qprep.analysis.facts import Facts
from qprep.checks import as_check
from qprep.checks.base import ENTRY_POINT_GROUP, Check
from qprep.codemods import as_codemod
from qprep.codemods.base import Codemod
from qprep.engine.config.output_formats import OutputFormat
from qprep.engine.custom_operators import make_row, read_rows
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Op
from qprep.foundation.catalogue.targets import Target
from qprep.foundation.errors import PluginError, QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.rewriting.fix_scope import RejectedError

_CODE: Final = re.compile(r"[A-Z]{2,8}\d{3}")
_NAME: Final = re.compile(r"[a-z]+(-[a-z0-9]+)*")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """The value of an entry point of the group `qprep.plugins`.

    checks     modules with RULE, VALID, INVALID and check(facts), each named after its rule
    codemods   modules with rewrite(scope, site), named after their rule (or `rewrite_` and that); REWRITES is optional
    rows       catalogue rows: mappings with the keys of a `[[op]]` table, or paths of TOML files
    targets    libraries whose modules rewritten code can use
    formats    modules with NAME, SHOWS_EDITS, IS_HUMAN and render(report), each an output format
    """

    checks: tuple[ModuleType, ...] = ()
    codemods: tuple[ModuleType, ...] = ()
    rows: tuple[Mapping[str, Any] | Path, ...] = ()
    targets: tuple[Target, ...] = ()
    formats: tuple[ModuleType, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin taken apart, under the name of its entry point."""

    name: str
    checks: tuple[Check, ...]
    codemods: Mapping[str, Codemod]
    rows: tuple[Op, ...]
    targets: tuple[Target, ...]
    formats: tuple[OutputFormat, ...]
    stamp: str  # changes when a file of the plugin does

    @property
    def names(self) -> Iterator[tuple[str, str]]:
        """The names that it claims, each with what it names: ("a rule", "ACME001")."""
        yield from (("a rule", key) for check in self.checks for key in (check.rule.code, check.stem))
        yield from (("a target", target.name) for target in self.targets)
        yield from (("an output format", each.name) for each in self.formats)


@functools.lru_cache(maxsize=1)
def installed_plugins() -> tuple[Loaded, ...]:
    """All plugins installed, by name; raises PluginError for one that does not load."""
    entries = sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
    return tuple(load_plugin(entry.name, _import(entry)) for entry in entries)


def load_plugin(name: str, plugin: object) -> Loaded:
    """Take a plugin apart; raises PluginError, which says what is wrong with which part of it."""
    if not isinstance(plugin, Plugin):
        raise PluginError(f"plugin `{name}`: expected a qprep.plugins.Plugin, found {plugin!r}")
    checks = tuple(_check(name, module) for module in plugin.checks)
    codemods = {codemod.stem: codemod for codemod in (_codemod(name, module) for module in plugin.codemods)}
    stems = {check.stem for check in checks}
    for stem in codemods:
        if stem not in stems:
            raise PluginError(f"plugin `{name}`: the rewrite `{stem}` is named after no rule of the plugin")
    rows = tuple(row for number, entry in enumerate(plugin.rows, start=1) for row in _rows(name, number, entry))
    targets = tuple(_target(name, target) for target in plugin.targets)
    formats = tuple(_format(name, module) for module in plugin.formats)
    stamp = _stamp((*plugin.checks, *plugin.codemods), (rows, targets))
    return Loaded(name, checks, codemods, rows, targets, formats, stamp)


def _stamp(modules: Iterable[ModuleType], data: object) -> str:
    digest = hashlib.sha256(repr(data).encode())
    for module in modules:
        path = getattr(module, "__file__", None)
        digest.update(Path(path).read_bytes() if path and Path(path).is_file() else repr(module).encode())
    return digest.hexdigest()


def _import(entry: importlib.metadata.EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:  # whatever its import does is the plugin's fault
        raise PluginError(f"plugin `{entry.name}`: `{entry.value}` cannot be loaded: {_shown(error)}") from error


def _check(name: str, module: ModuleType) -> Check:
    check = _taken(name, "rule", module, as_check, ("RULE", "VALID", "INVALID", "check"))
    code, title = check.rule.code, check.rule.name
    where = f"plugin `{name}`: rule `{check.stem}`"
    if not _CODE.fullmatch(code) or code.startswith("QP"):
        raise PluginError(f"{where}: expected a code of capitals and three digits, not QP's, found `{code}`")
    if not _NAME.fullmatch(title) or title.replace("-", "_") != check.stem:
        raise PluginError(f"{where}: expected the name `{check.stem.replace('_', '-')}`, found `{title}`")
    run = check.check

    def guarded(facts: Facts) -> Iterator[Any]:
        yield from _run(f"plugin `{name}`: rule {code}", lambda: list(run(facts)))

    return replace(check, check=guarded)


def _codemod(name: str, module: ModuleType) -> Codemod:
    codemod = _taken(name, "rewrite", module, as_codemod, ("rewrite",))
    run = codemod.rewrite
    stem = codemod.stem.removeprefix("rewrite_")
    where = f"plugin `{name}`: rewrite `{stem}`"
    return replace(codemod, stem=stem, rewrite=lambda scope, site: _run(where, lambda: run(scope, site)))


def _target(name: str, target: object) -> Target:
    if not isinstance(target, Target) or not _NAME.fullmatch(target.name):
        raise PluginError(f"plugin `{name}`: expected a Target with a name like `my-library`, found {target!r}")
    known = {op.name for op in load().ops}
    for operation in (*target.rows, *(target.scalars or ())):
        if operation not in known:
            near = did_you_mean(operation, known, "`")
            raise PluginError(f"plugin `{name}`: target `{target.name}`: unknown operation `{operation}`{near}")
    return target


def _format(name: str, module: ModuleType) -> OutputFormat:
    found = _taken(name, "output format", module, _as_format, ("NAME", "SHOWS_EDITS", "IS_HUMAN", "render"))
    if not _NAME.fullmatch(found.name):
        raise PluginError(
            f"plugin `{name}`: expected an output format with a name like `my-format`, found {found.name!r}"
        )
    where = f"plugin `{name}`: output format `{found.name}`"
    return replace(found, render=lambda report: _run(where, lambda: found.render(report)))


def _as_format(module: ModuleType) -> OutputFormat:
    return OutputFormat(str(module.NAME), module.render, bool(module.SHOWS_EDITS), bool(module.IS_HUMAN))


def _taken(name: str, what: str, module: ModuleType, take: Callable[[ModuleType], _T], wanted: Iterable[str]) -> _T:
    shown = getattr(module, "__name__", repr(module))
    missing = [attribute for attribute in wanted if not hasattr(module, attribute)]
    if missing:
        raise PluginError(f"plugin `{name}`: {what} `{shown}`: expected `{missing[0]}` in the module, found none")
    return take(module)


def _run(where: str, work: Callable[[], _T]) -> _T:
    try:
        return work()
    except (QprepError, RejectedError):
        raise
    except Exception as error:
        raise PluginError(f"{where} failed: {_shown(error)}") from error


def _rows(name: str, number: int, entry: Mapping[str, Any] | Path) -> tuple[Op, ...]:
    where = f"plugin `{name}`"
    try:
        return read_rows(entry) if isinstance(entry, Path) else (make_row(entry, f"row {number}"),)
    except QprepError as error:
        raise PluginError(f"{where}: {error}") from error


def _shown(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
