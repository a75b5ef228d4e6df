"""Settings: those of the closest configuration file for each file, with the command line's on top."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from qprep.engine.config.output_formats import own_formats
from qprep.engine.config.settings_file import Options, find_config, read_config
from qprep.engine.config.trace_targets import TraceTarget
from qprep.engine.custom_operators import read_rows
from qprep.engine.gitignore import PatternScope
from qprep.engine.rule_registry import Registry, installed
from qprep.engine.rule_selection import Selection, SelectionSource, validate
from qprep.foundation.catalogue.op import Op
from qprep.foundation.catalogue.targets import OWN
from qprep.foundation.findings import Rule
from qprep.foundation.internal_rules import ALWAYS_ON

TARGET_VERSIONS: Mapping[str, tuple[int, int]] = MappingProxyType({f"py3{minor}": (3, minor) for minor in range(8, 15)})
DEFAULT_EXCLUDE = (
    ".bzr", ".direnv", ".eggs", ".git", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pyenv",
    ".pytest_cache", ".qprep_cache", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode", "__pycache__", "__pypackages__",
    "_build", "build", "dist", "node_modules", "site-packages", "venv",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """The resolved settings of the files below one configuration file.

    source          the configuration file; None without one
    enabled         codes of the rules that are on
    fixable         codes of the rules whose fixes may be applied
    target_version  oldest Python that the code must run on, (major, minor); None: the one that runs qprep
    target          whose modules rewritten code uses: "qprep", "torch-ao" …
    catalogue       rows for custom operators
    baseline        the file of findings that are not reported again; None without one
    cache_dir       the folder of earlier results; None: `.qprep_cache` next to the configuration file
    trace           the models named in [tool.qprep.trace], for --trace and --verify
    """

    source: Path | None
    enabled: frozenset[str]
    fixable: frozenset[str]
    per_file_ignores: tuple[tuple[PatternScope, frozenset[str]], ...]
    unsafe_fixes: bool
    excludes: tuple[PatternScope, ...]
    respect_gitignore: bool
    output_format: str
    target_version: tuple[int, int] | None
    show_unknown: bool
    include_losses: bool
    baseline: Path | None
    cache_dir: Path | None
    target: str
    catalogue: tuple[Op, ...]
    trace: Mapping[str, TraceTarget]
    selection: Selection
    fix_selection: Selection

    def enabled_for(self, path: str | os.PathLike[str]) -> frozenset[str]:
        """Codes of the rules that are on for a file, without those in `per-file-ignores`."""
        full = Path(os.path.abspath(path))
        off = [codes for scope, codes in self.per_file_ignores if scope.covers(full)]
        return self.enabled.difference(*off) | ALWAYS_ON if off else self.enabled


@dataclass(slots=True)
class SettingsResolver:
    """Finds each file's settings; built once per run.

    overrides  what the command line says, relative to the current folder
    config     the one configuration file to use for all files, instead of looking for the closest
    isolated   use no configuration file
    force_exclude        excludes count for files that are named, too
    registry   all checks, rewrites and catalogue rows, those of installed plugins among them
    ignore_suppressions  report what comments suppress, and do not judge the comments
    Raises QprepError, on construction or on a look-up, for what a configuration or a flag says wrongly.
    """

    rules: tuple[Rule, ...]
    overrides: Options = field(default_factory=Options)
    config: Path | None = None
    isolated: bool = False
    force_exclude: bool = False
    ignore_suppressions: bool = False
    registry: Registry = field(default_factory=installed)
    _by_folder: dict[Path, Path | None] = field(default_factory=dict, init=False, repr=False)
    _by_config: dict[Path | None, Settings] = field(default_factory=dict, init=False, repr=False)
    _by_file: dict[str, Settings] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        _validate(self.overrides, self.rules, "command line")

    def for_file(self, path: str | os.PathLike[str]) -> Settings:
        """The settings of a file; its path is the same file as long as this object is used."""
        given = os.fspath(path)
        if given not in self._by_file:
            self._by_file[given] = self.for_folder(Path(os.path.abspath(path)).parent)
        return self._by_file[given]

    def for_folder(self, folder: Path) -> Settings:
        """The settings of the files right below a folder (an absolute path)."""
        source = self._source(folder)
        if source not in self._by_config:
            self._by_config[source] = self._resolve(source)
        return self._by_config[source]

    def _source(self, folder: Path) -> Path | None:
        if self.isolated or self.config is not None:
            return None if self.isolated else self.config
        if folder not in self._by_folder:
            here = find_config(folder)
            at_top = folder.parent == folder
            self._by_folder[folder] = here if here or at_top else self._source(folder.parent)
        return self._by_folder[folder]

    def _resolve(self, source: Path | None) -> Settings:
        options = read_config(source, choices(self.registry)) if source else Options()
        if source:
            _validate(options, self.rules, os.fspath(source))
        root = Path(os.path.abspath(source)).parent if source else Path.cwd()
        return _merge(source, root, options, self.overrides, self.rules)


def choices(registry: Registry) -> Mapping[str, tuple[str, ...]]:
    """The values of the keys of a configuration file that take one of several names."""
    return {
        "output-format": (*own_formats(), *registry.formats),
        "target-version": tuple(TARGET_VERSIONS),
        "target": tuple(registry.targets),
    }


def _merge(source: Path | None, root: Path, file: Options, cli: Options, rules: tuple[Rule, ...]) -> Settings:
    selection = Selection(_layer(file), _layer(cli))
    names = ("fixable", "fixable", "unfixable")
    fix_selection = Selection(_fix_layer(file), _fix_layer(cli), names)
    target = cli.target_version or file.target_version
    return Settings(
        source=source,
        enabled=selection.codes(rules) | ALWAYS_ON,
        fixable=fix_selection.codes(rules),
        per_file_ignores=(*_per_file(root, file, rules), *_per_file(Path.cwd(), cli, rules)),
        unsafe_fixes=bool(_first(cli.unsafe_fixes, file.unsafe_fixes)),
        excludes=_excludes(root, file, cli),
        respect_gitignore=_first(cli.respect_gitignore, file.respect_gitignore) is not False,
        output_format=cli.output_format or file.output_format or "full",
        target_version=TARGET_VERSIONS[target] if target else None,
        show_unknown=bool(_first(cli.show_unknown, file.show_unknown)),
        include_losses=bool(_first(cli.include_losses, file.include_losses)),
        baseline=root / file.baseline if file.baseline else None,
        cache_dir=root / file.cache_dir if file.cache_dir else None,
        target=cli.target or file.target or OWN,
        catalogue=tuple(row for name in file.catalogue for row in read_rows(root / name)),
        trace=file.trace,
        selection=selection,
        fix_selection=fix_selection,
    )


def _layer(options: Options) -> SelectionSource:
    return SelectionSource(options.select, options.extend_select, options.ignore)


def _fix_layer(options: Options) -> SelectionSource:
    return SelectionSource(options.fixable, (), options.unfixable)


def _first(cli: bool | None, file: bool | None) -> bool | None:
    return file if cli is None else cli


def _excludes(root: Path, file: Options, cli: Options) -> tuple[PatternScope, ...]:
    if cli.exclude is None:
        base = PatternScope.compile(root, DEFAULT_EXCLUDE if file.exclude is None else file.exclude)
    else:
        base = PatternScope.compile(Path.cwd(), cli.exclude)
    more = PatternScope.compile(root, file.extend_exclude)
    flags = PatternScope.compile(Path.cwd(), cli.extend_exclude)
    return tuple(scope for scope in (base, more, flags) if scope.patterns.lines)


def _per_file(root: Path, options: Options, rules: tuple[Rule, ...]) -> tuple[tuple[PatternScope, frozenset[str]], ...]:
    return tuple(
        (PatternScope.compile(root, [pattern]), Selection(SelectionSource(codes), SelectionSource()).codes(rules))
        for pattern, codes in options.per_file_ignores
    )


def _validate(options: Options, rules: tuple[Rule, ...], where: str) -> None:
    for selectors in (options.select, options.extend_select, options.ignore, options.fixable, options.unfixable):
        validate(selectors or (), rules, where)
    for _, selectors in options.per_file_ignores:
        validate(selectors, rules, where)
