"""The flags that verbs share, and the settings that result from them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from qprep.cli.input_options import INPUTS
from qprep.engine.config.output_formats import own_formats
from qprep.engine.config.settings import TARGET_VERSIONS, SettingsResolver
from qprep.engine.config.settings_file import Options, pattern_fault
from qprep.foundation.catalogue.targets import TARGETS
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Rule

if TYPE_CHECKING:
    from qprep.engine.rule_registry import Registry

_F = TypeVar("_F", bound=Callable[..., Any])

_PATTERNS = "PATTERN,…"


class InstalledChoice(click.Choice[str]):
    """One of qprep's own names, or one that an installed plugin adds; plugins are loaded for unknown names only."""

    def __init__(self, own: Iterable[str], every: Callable[[Registry], Iterable[str]]) -> None:
        super().__init__(tuple(own))
        self._every = every

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """The name; fails with all names."""
        if value in self.choices:
            return str(value)
        from qprep.engine.rule_registry import installed

        names = dict.fromkeys((*self.choices, *self._every(installed())))
        return click.Choice(tuple(names)).convert(value, param, ctx)


def _complete_rules(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Codes of rules, behind those that stand there already, each with its name."""
    from qprep.engine.rule_registry import all_rules

    before, comma, last = incomplete.rpartition(",")
    rules = [rule for rule in all_rules() if rule.code.startswith(last.upper())]
    return [CompletionItem(f"{before}{comma}{rule.code}", help=rule.name) for rule in rules]


_RULES: Final[dict[str, Any]] = {"metavar": "RULE,…", "multiple": True, "shell_complete": _complete_rules}

SELECTION = (
    click.option("--select", **_RULES, help="Rules to run: codes, prefixes, names, or ALL."),
    click.option("--extend-select", **_RULES, help="Rules to run in addition to the selected ones."),
    click.option("--ignore", **_RULES, help="Rules to switch off."),
    click.option(
        "--per-file-ignores", metavar="PATTERN:RULE,…", multiple=True, help="Rules to switch off for files that match."
    ),
    click.option("--fixable", **_RULES, help="Rules that may be fixed."),
    click.option("--unfixable", **_RULES, help="Rules that may not be fixed."),
    click.option(
        "--target",
        type=InstalledChoice(TARGETS, lambda registry: registry.targets),
        help="The library whose modules rewritten code uses.",
    ),
    click.option(
        "--target-version", type=click.Choice(list(TARGET_VERSIONS)), help="The oldest Python version to support."
    ),
)
FILES = (
    click.option(
        "--exclude", metavar=_PATTERNS, multiple=True, help="Files and folders to skip; replaces the default list."
    ),
    click.option("--extend-exclude", metavar=_PATTERNS, multiple=True, help="More files and folders to skip."),
    click.option("--force-exclude", is_flag=True, help="Also apply the excludes to paths on the command line."),
    click.option(
        "--respect-gitignore/--no-respect-gitignore", default=None, help="Skip files that git ignores (default: yes)."
    ),
)
CONFIGURATION = (
    click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="The configuration file to use."),
    click.option("--isolated", is_flag=True, help="Use no configuration file."),
)
OUTPUT = (
    click.option(
        "--output-format",
        type=InstalledChoice(own_formats(), lambda registry: registry.formats),
        envvar="QPREP_OUTPUT_FORMAT",
        help="Format of the findings.",
    ),
    click.option(
        "-o", "--output-file", metavar="FILE", type=click.Path(path_type=Path), help="Write the findings to this file."
    ),
    click.option("--statistics", is_flag=True, help="Print the number of findings of each rule only."),
    click.option("--unsafe-fixes/--no-unsafe-fixes", default=None, help="Include unsafe fixes."),
    click.option("--show-unknown/--no-show-unknown", default=None, help="List operations on values of unknown type."),
    click.option(
        "--include-losses/--no-include-losses", default=None, help="Report operations that only compute a loss."
    ),
    click.option("--ignore-suppressions", is_flag=True, help="Report findings that `# qprep: ignore[…]` suppresses."),
    click.option("--stdin-filename", metavar="FILE", help="File name for source from standard input (`-`)."),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Use colours."),
    click.option("-q", "--quiet", is_flag=True, help="Print findings only."),
    click.option("-v", "--verbose", is_flag=True, help="Print more details to standard error."),
    click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings."),
)
EFFORT = (
    click.option(
        "-j",
        "--jobs",
        metavar="N",
        type=click.IntRange(min=1),
        help="Worker processes; by default as many as make a large tree faster.",
    ),
    click.option("--no-cache", is_flag=True, help="Neither use nor keep the results of earlier runs."),
    click.option(
        "--cache-dir",
        metavar="FOLDER",
        type=click.Path(path_type=Path),
        envvar="QPREP_CACHE_DIR",
        help="Folder of the cache (default: .qprep_cache next to the configuration file).",
    ),
)
BASELINE = (
    click.option(
        "--baseline",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Report only findings that this file (see --write-baseline) does not list.",
    ),
    click.option("--no-baseline", is_flag=True, help="Ignore the baseline of the configuration."),
)
_TARGET = "TARGET|NAME"
TRACE = (
    click.option(
        "--trace",
        "trace",
        metavar=_TARGET,
        multiple=True,
        help="Run this model (package.module:factory, path/file.py:factory, or a name from [tool.qprep.trace]) and "
        "use the run to confirm, drop and add findings.",
    ),
    click.option("--no-trace", is_flag=True, help="Run no model, even if --trace is set."),
    *INPUTS,
    click.option("--device", metavar="DEVICE", help="The device to run on; meta allocates no weights."),
    click.option(
        "--trace-timeout", "timeout", type=float, metavar="SECONDS", help="Time limit of each run (default: 300)."
    ),
)
VERIFY = (
    click.option(
        "--verify",
        metavar=_TARGET,
        multiple=True,
        help="Build this model from the original and the rewritten source; write only if their results are equal.",
    ),
)
PATHS = (click.argument("paths", nargs=-1, type=click.Path(path_type=Path)),)


def with_options(*options: Callable[[_F], _F]) -> Callable[[_F], _F]:
    """Decorate a command with options, shown in the order given."""

    def decorate(function: _F) -> _F:
        return functools.reduce(lambda inner, option: option(inner), reversed(options), function)

    return decorate


def resolver(rules: tuple[Rule, ...], flags: dict[str, Any]) -> SettingsResolver:
    """The settings that flags ask for; raises QprepError for unknown rules and a missing configuration file."""
    config = flags["config"]
    if config is not None and not config.is_file():
        raise QprepError(f"--config: expected a configuration file, found none at `{config}`")
    return SettingsResolver(
        rules,
        _options(flags),
        config,
        flags["isolated"],
        flags.get("force_exclude", False),
        flags.get("ignore_suppressions", False),
    )


def _options(flags: dict[str, Any]) -> Options:
    return Options(
        select=_listed(flags["select"]) if flags["select"] else None,
        extend_select=_listed(flags["extend_select"]),
        ignore=_listed(flags["ignore"]),
        per_file_ignores=_per_file(flags["per_file_ignores"]),
        fixable=_listed(flags["fixable"]) if flags["fixable"] else None,
        unfixable=_listed(flags["unfixable"]),
        unsafe_fixes=flags.get("unsafe_fixes"),
        exclude=_patterns("--exclude", flags["exclude"]) if flags.get("exclude") else None,
        extend_exclude=_patterns("--extend-exclude", flags.get("extend_exclude", ())),
        respect_gitignore=flags.get("respect_gitignore"),
        output_format=flags.get("output_format"),
        target_version=flags["target_version"],
        target=flags.get("target"),
        show_unknown=flags.get("show_unknown"),
        include_losses=flags.get("include_losses"),
    )


def _listed(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _per_file(values: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`PATTERN:RULE,PATTERN:RULE`; a part without a colon adds a rule to the pattern before it."""
    pairs: dict[str, tuple[str, ...]] = {}
    pattern = ""
    for part in _listed(values):
        head, colon, rule = part.rpartition(":")
        pattern = head if colon else pattern
        if not pattern or not rule:
            raise QprepError(f"--per-file-ignores: expected PATTERN:RULE, found `{part}`")
        pairs[pattern] = (*pairs.get(pattern, ()), rule)
    return tuple(pairs.items())


def _patterns(option: str, values: Iterable[str]) -> tuple[str, ...]:
    patterns = tuple(_listed(values))
    if fault := pattern_fault(patterns):
        raise QprepError(f"{option}: expected {fault}, found {', '.join(patterns)}")
    return patterns
