"""Results of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qprep.analysis.interpreter.open_names import OpenNames
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.incremental.records import from_record, to_record
from qprep.foundation.findings import Applicability, Finding, Fix
from qprep.foundation.source import SourceFile


def is_applicable(finding: Finding, settings: SettingsResolver) -> bool:
    """True if a finding has a fix that the settings let be applied."""
    if not isinstance(finding.fix, Fix):
        return False
    local = settings.for_file(finding.path)
    safe = finding.fix.applicability is Applicability.SAFE
    return finding.code in local.fixable and (safe or local.unsafe_fixes)


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings as they are reported: by file and place."""
    return tuple(sorted(findings, key=lambda finding: finding.sort_key))


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Findings of a check: `unknown` counts the places whose kind of value stayed unknown, `unknown_sites` are they.

    `open` names what only other files may tell; None where that was not asked.
    """

    findings: tuple[Finding, ...]
    files: int
    unknown: int = 0
    unknown_sites: tuple[Finding, ...] = ()
    open: OpenNames | None = None

    def __reduce__(self) -> tuple[Callable[..., CheckResult], tuple[object, ...]]:
        """Between processes it goes as plain values: thousands of frozen objects take a hundred times as long."""
        return _sent, (
            list(map(to_record, self.findings)),
            self.files,
            self.unknown,
            list(map(to_record, self.unknown_sites)),
            self.open,
        )


def _sent(
    findings: list[Any], files: int, unknown: int, unknown_sites: list[Any], left: OpenNames | None
) -> CheckResult:
    sites = tuple(map(from_record, unknown_sites))
    return CheckResult(tuple(map(from_record, findings)), files, unknown, sites, left)


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that fixes changed: as it was, and its new text (newlines included, no BOM)."""

    path: str
    old: SourceFile
    new_text: str


@dataclass(frozen=True, slots=True)
class FixResult:
    """Findings before the fixes, those resolved, and those left (their places are in the new texts).

    `reverted` are findings whose rewrite failed a gate: the file was left as it was.
    """

    before: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    remaining: tuple[Finding, ...]
    changed: tuple[ChangedFile, ...]
    reverted: tuple[Finding, ...]
    files: int
