"""Rewrites the files of one package, or of a part of it, by the engine's safe fixes; nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from qprep.engine.config.settings import SettingsResolver
    from qprep.engine.results import FixResult
    from qprep.foundation.findings import Finding


@dataclass(frozen=True, slots=True)
class LeftFinding:
    """A finding that stays in a file of the package, with the reason; `path` is absolute, places are 1-based."""

    path: str
    line: int
    column: int
    code: str
    message: str
    reason: str

    def __str__(self) -> str:
        reason = f" (not fixed: {self.reason})" if self.reason else ""
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.message}{reason}"


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The result of rewriting a package.

    sources  new contents by module, of the files that changed
    fixed    how many findings that resolved
    left     the findings that stay and keep a model from being prepared
    failed   files that stay as they are because a rewrite failed a check, or qprep failed on them, with the reason
    moved    modules of `sources` in which nothing but imports changed, since the file has another place
    """

    sources: Mapping[str, bytes]
    fixed: int
    left: tuple[LeftFinding, ...]
    failed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()


def rewrite_files(files: Mapping[str, Path]) -> Rewriting:
    """The safe fixes of `files` (by module), which are analysed together.

    The other files of their package stay as they are, and what they may do to objects of `files` counts. Raises
    QprepError if the files cannot be rewritten at all; `qprep fix` says what each file lacks.
    """
    from qprep.engine.config.settings import SettingsResolver
    from qprep.engine.config.settings_file import Options
    from qprep.engine.rule_registry import all_rules
    from qprep.foundation.deep_recursion import run_with_large_stack

    resolver = SettingsResolver(all_rules(), Options(exclude=()), isolated=True)
    try:
        result = run_with_large_stack(lambda: _fix(list(files.values()), resolver))
    except QprepError:
        raise
    except Exception as error:
        from qprep.engine.execution import describe

        raise QprepError(f"qprep failed on it: {describe(error)}") from error
    modules = {os.path.abspath(path): module for module, path in files.items()}
    sources = {
        modules[os.path.abspath(entry.path)]: entry.old.encode(entry.new_text)
        for entry in result.changed
        if os.path.abspath(entry.path) in modules
    }
    return Rewriting(sources, len(result.fixed), tuple(_left(result)), tuple(_failed(result)))


def _fix(paths: list[Path], resolver: SettingsResolver) -> FixResult:
    """The safe fixes; what the other files of the package do to the classes of these counts as in `qprep fix`."""
    from qprep.engine.execution import Effort
    from qprep.engine.runs import fix

    return fix(paths, resolver, write=False, effort=Effort(jobs=None))


def _left(result: FixResult) -> Iterable[LeftFinding]:
    for finding in result.remaining:
        if finding.stands_in_the_way:
            yield _record(finding)


def _record(finding: Finding) -> LeftFinding:
    from qprep.foundation.findings import Rejection

    reason = finding.fix.reason if isinstance(finding.fix, Rejection) else ""
    place = finding.start
    return LeftFinding(os.path.abspath(finding.path), place.line, place.column, finding.code, finding.message, reason)


def _failed(result: FixResult) -> Iterable[str]:
    from qprep.foundation.internal_rules import ANALYSIS_FAILED

    broken = [finding for finding in result.remaining if finding.code == ANALYSIS_FAILED.code]
    for finding in dict.fromkeys((*result.reverted, *broken)):
        record = _record(finding)
        yield f"{record.path}: {record.reason or record.message}"
