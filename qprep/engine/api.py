"""qprep on source that is at hand as a string: the functions that the package offers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules
from qprep.foundation.source import display_path

if TYPE_CHECKING:
    from qprep.engine.results import FixResult
    from qprep.foundation.findings import Finding


def check_source(text: str, path: str = "model.py", options: Options | None = None) -> tuple[Finding, ...]:
    """The findings of a module's source; `path` only names it. Reads no configuration file."""
    from qprep.engine.runs import check

    overlay = {display_path(path): text.encode()}
    return check([Path(path)], _resolver(options), overlay=overlay).findings


def fix_source(text: str, path: str = "model.py", options: Options | None = None) -> tuple[str, FixResult]:
    """The rewritten source (the same text where nothing was fixed) and what was fixed and left, with reasons."""
    from qprep.engine.runs import fix

    overlay = {display_path(path): text.encode()}
    result = fix([Path(path)], _resolver(options), write=False, overlay=overlay)
    changed = {file.path: file.new_text for file in result.changed}
    return changed.get(display_path(path), text), result


def _resolver(options: Options | None) -> SettingsResolver:
    return SettingsResolver(all_rules(), options or Options(), isolated=True)
