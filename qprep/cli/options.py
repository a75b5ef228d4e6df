"""The flags that verbs share, and the settings that come of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from qprep.engine.config.settings import TARGET_VERSIONS, SettingsResolver
from qprep.engine.config.settings_file import OUTPUT_FORMATS, Options, pattern_fault
from qprep.foundation.catalogue.targets import TARGETS
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Rule

_F = TypeVar("_F", bound=Callable[..., Any])

_PATTERNS = "PATTERN,…"


def _complete_rules(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Codes of rules, behind those that stand there already, each with its name."""
    from qprep.engine.rule_registry import all_rules

    before, comma, last = incomplete.rpartition(",")
    rules = [rule for rule in all_rules() if rule.code.startswith(last.upper())]
    return [CompletionItem(f"{before}{comma}{rule.code}", help=rule.name) for rule in rules]


_RULES: Final[dict[str, Any]] = {"metavar": "RULE,…", "multiple": True, "shell_complete": _complete_rules}

SELECTION = (
    click.option("--select", **_RULES, help="Rules to run: codes, prefixes, names, or ALL."),
    click.option("--extend-select", **_RULES, help="Rules to run beside those selected."),
    click.option("--ignore", **_RULES, help="Rules not to run."),
    click.option("--per-file-ignores", metavar="PATTERN:RULE,…", multiple=True, help="Rules not to run on some files."),
    click.option("--fixable", **_RULES, help="Rules whose fixes may be applied."),
    click.option("--unfixable", **_RULES, help="Rules whose fixes may not be applied."),
    click.option("--target", type=click.Choice(list(TARGETS)), help="Whose modules rewritten code uses; qprep."),
    click.option("--target-version", type=click.Choice(list(TARGET_VERSIONS)), help="Oldest Python to support."),
)
FILES = (
    click.option(
        "--exclude", metavar=_PATTERNS, multiple=True, help="Patterns not to walk into; replaces the default."
    ),
    click.option("--extend-exclude", metavar=_PATTERNS, multiple=True, help="More patterns not to walk into."),
    click.option("--force-exclude", is_flag=True, help="Let excludes count for files that are named, too."),
    click.option("--respect-gitignore/--no-respect-gitignore", default=None, help="Leave out what git ignores."),
)
CONFIGURATION = (
    click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="The configuration file to use."),
    click.option("--isolated", is_flag=True, help="Use no configuration file."),
)
OUTPUT = (
    click.option(
        "--output-format",
        type=click.Choice(OUTPUT_FORMATS),
        envvar="QPREP_OUTPUT_FORMAT",
        help="How to print findings.",
    ),
    click.option("-o", "--output-file", metavar="FILE", type=click.Path(path_type=Path), help="Where to print them."),
    click.option("--statistics", is_flag=True, help="Print how often each rule was found, instead of the findings."),
    click.option("--unsafe-fixes/--no-unsafe-fixes", default=None, help="Count, and apply, unsafe fixes too."),
    click.option("--show-unknown/--no-show-unknown", default=None, help="List operations on values of unknown kind."),
    click.option("--ignore-suppressions", is_flag=True, help="Report what `# qprep: ignore[…]` comments suppress."),
    click.option("--stdin-filename", metavar="FILE", help="The name of the file that `-` reads from standard input."),
    click.option(
        "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="When to use colours."
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print findings only."),
    click.option("-v", "--verbose", is_flag=True, help="Say more on standard error."),
    click.option("--exit-zero", is_flag=True, help="Exit with 0 even where there are findings."),
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
        help="Where results are kept; .qprep_cache beside the configuration file.",
    ),
)
BASELINE = (
    click.option(
        "--baseline",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Leave out the findings that this file holds; --write-baseline makes it.",
    ),
    click.option("--no-baseline", is_flag=True, help="Report what the configuration's baseline holds, too."),
)
_TARGET = "TARGET|NAME"
TRACE = (
    click.option(
        "--trace",
        "trace",
        metavar=_TARGET,
        multiple=True,
        help="Run this model (package.module:factory, path/file.py:factory, or a name from [tool.qprep.trace]) and "
        "let the run confirm, refute and add findings.",
    ),
    click.option("--no-trace", is_flag=True, help="Run no model, whatever --trace says."),
    click.option("--input", "inputs", multiple=True, metavar="[NAME=]SHAPE[:DTYPE]", help="An input: 1,3,224,224."),
    click.option("--inputs", "maker", metavar="MODULE:NAME", help="What makes the inputs, in place of --input."),
    click.option("--device", metavar="DEVICE", help="Where to run; meta needs no memory for weights."),
    click.option("--trace-timeout", "timeout", type=float, metavar="SECONDS", help="Time limit of each run; 300."),
)
VERIFY = (
    click.option(
        "--verify",
        metavar=_TARGET,
        multiple=True,
        help="Build this model from the original and the rewritten source; write only if all they compute is equal.",
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
