"""`qprep config`: the settings in force, and why each rule is on or off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from qprep.cli.options import CONFIGURATION, FILES, SELECTION, resolver, with_options
from qprep.engine.config.settings import TARGET_VERSIONS, Settings
from qprep.engine.rule_registry import all_rules
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Rule
from qprep.foundation.internal_rules import ALWAYS_ON


@click.command("config", short_help="Show the settings, and why each rule is on or off.")
@with_options(click.argument("path", default=".", type=click.Path(path_type=Path)), *SELECTION, *FILES, *CONFIGURATION)
def command(path: Path, **flags: Any) -> int:
    """Show the settings for a file or folder, and why each rule is on or off."""
    if not path.exists():
        raise QprepError(f"expected a file or folder, found nothing at `{path}`")
    rules = all_rules()
    settings = resolver(rules, flags)
    full = Path(os.path.abspath(path))
    here = settings.for_folder(full) if full.is_dir() else settings.for_file(full)
    click.echo("\n".join((*_values(here), "", *_verdicts(here, full, rules))))
    return 0


def _values(settings: Settings) -> Iterator[str]:
    target = next((name for name, version in TARGET_VERSIONS.items() if version == settings.target_version), None)
    yield f"configuration      {settings.source or 'none: the defaults'}"
    yield f"target-version     {target or 'the version of the Python that runs qprep'}"
    yield f"target             {settings.target}"
    if settings.catalogue:
        yield f"catalogue          {', '.join(row.name for row in settings.catalogue)}"
    yield f"output-format      {settings.output_format}"
    yield f"unsafe-fixes       {_word(settings.unsafe_fixes)}"
    yield f"show-unknown       {_word(settings.show_unknown)}"
    yield f"include-losses     {_word(settings.include_losses)}"
    yield f"baseline           {settings.baseline or 'none'}"
    yield f"cache-dir          {settings.cache_dir or 'the default, .qprep_cache'}"
    yield f"respect-gitignore  {_word(settings.respect_gitignore)}"
    for scope in settings.excludes:
        yield f"exclude            {', '.join(scope.lines)} (below {scope.root})"
    for scope, codes in settings.per_file_ignores:
        yield f"per-file-ignores   {', '.join(scope.lines)}: {', '.join(sorted(codes))} (below {scope.root})"


def _verdicts(settings: Settings, path: Path, rules: tuple[Rule, ...]) -> Iterator[str]:
    enabled = settings.enabled_for(path) if path.is_file() else settings.enabled
    wide = max(len(rule.name) for rule in rules)
    for rule in rules:
        verdict = settings.selection.verdict(rule)
        why = verdict.why
        if rule.code in ALWAYS_ON:
            why = "always on: a file that was not read is not clean"
        elif verdict.on and rule.code not in enabled:
            why = "per-file-ignores"
        fixing = "" if rule.code in settings.fixable or not rule.fixable else ", its fixes are off"
        yield f"{rule.code}  {rule.name:<{wide}}  {'on ' if rule.code in enabled else 'off'}  {why}{fixing}"


def _word(value: bool) -> str:
    return "true" if value else "false"
