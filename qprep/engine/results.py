"""What the engine hands to whoever called it, and the calls it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qprep.engine.config.settings import SettingsResolver
from qprep.engine.execution import Effort
from qprep.engine.incremental.records import from_record, to_record
from qprep.foundation.findings import Applicability, Finding, Fix
from qprep.foundation.source import SourceFile

if TYPE_CHECKING:
    from qprep.engine.baseline import Baseline
    from qprep.engine.runtime_evidence.equivalence_gate import Prove
    from qprep.engine.runtime_evidence.observer import Observe


def is_applicable(finding: Finding, settings: SettingsResolver) -> bool:
    """Whether a finding has a fix that the settings let be applied."""
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
    """Findings of a check: `unknown` counts the places whose kind of value stayed unknown, `unknown_sites` are they."""

    findings: tuple[Finding, ...]
    files: int
    unknown: int = 0
    unknown_sites: tuple[Finding, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., CheckResult], tuple[object, ...]]:
        """Between processes it goes as plain values: thousands of frozen objects take a hundred times as long."""
        return _sent, (
            list(map(to_record, self.findings)),
            self.files,
            self.unknown,
            list(map(to_record, self.unknown_sites)),
        )


def _sent(findings: list[Any], files: int, unknown: int, unknown_sites: list[Any]) -> CheckResult:
    return CheckResult(tuple(map(from_record, findings)), files, unknown, tuple(map(from_record, unknown_sites)))


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


class Engine(Protocol):
    """The calls that the command line and the public functions make; the module `qprep.engine.runs` answers them.

    `overlay` gives files' bytes by their path as reported (`display_path`), instead of reading them: standard input,
    an editor's buffers. `observe` runs the user's models, `prove` tries a rewrite before it is written.
    """

    def check(
        self,
        paths: Sequence[Path],
        settings: SettingsResolver,
        *,
        overlay: Mapping[str, bytes] | None = None,
        observe: Observe | None = None,
        effort: Effort | None = None,
        beside: Sequence[Path] = (),
    ) -> CheckResult:
        """Find; changes nothing. The files `beside` are looked through for what they do to the given ones."""

    def fix(
        self,
        paths: Sequence[Path],
        settings: SettingsResolver,
        *,
        write: bool,
        overlay: Mapping[str, bytes] | None = None,
        observe: Observe | None = None,
        prove: Prove | None = None,
        effort: Effort | None = None,
        baseline: Baseline | None = None,
        beside: Sequence[Path] = (),
    ) -> FixResult:
        """Rewrite; with `write` false nothing on disk changes. What the `baseline` holds stays as it is."""
