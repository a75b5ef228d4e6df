"""qprep from Python: on files, and on source that is at hand as a string."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.discovery import Discovery, discover
from qprep.engine.rule_registry import all_rules
from qprep.engine.surroundings import surroundings
from qprep.foundation.source import display_path

if TYPE_CHECKING:
    from qprep.engine.results import FixResult
    from qprep.foundation.findings import Finding


def check(*paths: str | Path, options: Options | None = None) -> tuple[Finding, ...]:
    """Return the findings of files and folders, sorted by place, as `qprep check` does.

    paths    files or folders; the current folder without any
    options  settings that override those of the configuration files

    Reads source only. A file that cannot be read is a finding as well. Raises QprepError for a path that does not
    exist and for wrong settings.
    """
    from qprep.engine import runs

    resolver, found = _found(paths, options)
    result = runs.check(found.files, resolver, beside=surroundings(found.files, resolver).paths)
    return _with_problems(result.findings, found)


def fix(*paths: str | Path, write: bool = True, options: Options | None = None) -> FixResult:
    """Rewrite files and folders as `qprep fix` does; `changed` of the result has the old and new texts.

    paths    files or folders; the current folder without any
    write    False changes no file
    options  settings that override those of the configuration files; `Options(unsafe_fixes=True)` applies unsafe fixes

    All files are written or none. `remaining` has the findings that are left, with reasons. Raises QprepError for a
    path that does not exist, for wrong settings, and if a file cannot be written.
    """
    from qprep.engine import runs

    resolver, found = _found(paths, options)
    return runs.fix(found.files, resolver, write=write, beside=surroundings(found.files, resolver).paths)


def check_source(text: str, path: str = "model.py", options: Options | None = None) -> tuple[Finding, ...]:
    """Return the findings of a module's source; `path` only names it. Reads no configuration file."""
    from qprep.engine import runs

    overlay = {display_path(path): text.encode()}
    return runs.check([Path(path)], _isolated(options), overlay=overlay).findings


def fix_source(text: str, path: str = "model.py", options: Options | None = None) -> tuple[str, FixResult]:
    """Return the rewritten source, or the same text if nothing was fixed, and the result with reasons."""
    from qprep.engine import runs

    overlay = {display_path(path): text.encode()}
    result = runs.fix([Path(path)], _isolated(options), write=False, overlay=overlay)
    changed = {file.path: file.new_text for file in result.changed}
    return changed.get(display_path(path), text), result


def _found(paths: tuple[str | Path, ...], options: Options | None) -> tuple[SettingsResolver, Discovery]:
    resolver = SettingsResolver(all_rules(), options or Options())
    return resolver, discover([Path(each) for each in paths] or [Path()], resolver)


def _with_problems(findings: tuple[Finding, ...], found: Discovery) -> tuple[Finding, ...]:
    return tuple(sorted((*findings, *found.problems), key=lambda finding: finding.sort_key))


def _isolated(options: Options | None) -> SettingsResolver:
    return SettingsResolver(all_rules(), options or Options(), isolated=True)
