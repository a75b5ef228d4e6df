"""Find, fix, verify, write: the flow from files to results."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.findings import Applicability, Finding, Fix, Unfixable
from qprep.results import ChangedFile, CheckResult, FixResult
from qprep.rewrite.finish import new_texts
from qprep.source import SourceFile
from qprep.survey import Reported, Survey
from qprep.verify import refuse_rewrite, refuse_untouched, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from qprep.config import SettingsResolver

MAX_PASSES = 10


def check(
    paths: Sequence[Path], settings: SettingsResolver, *, overlay: Mapping[str, bytes] | None = None
) -> CheckResult:
    """Find; changes nothing."""
    survey = Survey(paths, settings, overlay or {})
    findings = [survey.with_fix(reported) for reported in survey.reported] + survey.faults
    return CheckResult(_sorted(findings), len(paths), len(survey.unknown), tuple(survey.unknown))


def fix(
    paths: Sequence[Path],
    settings: SettingsResolver,
    *,
    write: bool,
    overlay: Mapping[str, bytes] | None = None,
) -> FixResult:
    """Rewrite until nothing more can be; each file's new text passes every gate or the file stays as it was."""
    current = dict(overlay or {})
    survey = Survey(paths, settings, current)
    before = [reported.finding for reported in survey.reported]
    originals: dict[str, SourceFile] = {}
    banned: dict[str, str] = {}
    reverted: list[Finding] = []
    refused: list[Finding] = []
    for _ in range(MAX_PASSES):
        step = _one_pass(survey, settings, banned, reverted, refused)
        if step is None:
            break
        for path, old in step.changed.items():
            originals.setdefault(path, old)
        current, survey = dict(step.after.files.overlay), step.after
    changed = [
        ChangedFile(path, old, SourceFile.from_bytes(path, current[path]).text)
        for path, old in sorted(originals.items())
        if current[path] != old.data
    ]
    if write:
        for entry in changed:
            write_atomically(entry.path, entry.old.encode(entry.new_text), entry.old.data)
    remaining = [_explained(survey.with_fix(reported), banned) for reported in survey.reported]
    remaining += survey.faults + refused
    fixed = _resolved(before, remaining)
    return FixResult(_sorted(before), fixed, _sorted(remaining), tuple(changed), tuple(reverted), len(paths))


@dataclass(frozen=True, slots=True)
class _Step:
    """One pass that changed something: the files as they were before it, and the look that followed."""

    changed: Mapping[str, SourceFile]
    after: Survey


def _explained(finding: Finding, banned: Mapping[str, str]) -> Finding:
    """A finding in a file that cannot be changed says why."""
    if finding.path in banned and isinstance(finding.fix, Fix):
        return replace(finding, fix=Unfixable(banned[finding.path]))
    return finding


def _one_pass(
    survey: Survey, settings: SettingsResolver, banned: dict[str, str], reverted: list[Finding], refused: list[Finding]
) -> _Step | None:
    """Rewrite all that is wanted, gates passed; None where nothing is left to do."""
    while True:
        chosen = [reported for reported in survey.reported if _is_wanted(reported, settings, banned)]
        texts = new_texts(survey, [reported.place for reported in chosen if reported.place is not None])
        untouchable = _untouchable(texts, refused)
        failures = {
            path: f"its rewrite failed a check: {reason}"
            for path, (old, text) in texts.items()
            if path not in untouchable and (reason := refuse_rewrite(old, text)) is not None
        }
        if not untouchable and not failures:
            texts = {path: pair for path, pair in texts.items() if pair[0].text != pair[1]}
            if not texts:
                return None
            after = _second_look(survey, settings, texts)
            failures = _worse(survey, after, settings, texts, banned)
            if not failures:
                return _Step({path: old for path, (old, _) in texts.items()}, after)
        banned.update(untouchable)
        banned.update(failures)
        reverted += [_left(r.finding, failures[r.finding.path]) for r in chosen if r.finding.path in failures]


def _left(finding: Finding, reason: str) -> Finding:
    return replace(finding, fix=Unfixable(reason))


def _untouchable(texts: Mapping[str, tuple[SourceFile, str]], refused: list[Finding]) -> dict[str, str]:
    """Files that must not be rewritten at all, with the reason."""
    found: dict[str, str] = {}
    for path, (old, _) in texts.items():
        if (finding := refuse_untouched(old)) is not None:
            refused.append(finding)
            found[path] = finding.message
    return found


def _is_wanted(reported: Reported, settings: SettingsResolver, banned: Mapping[str, str]) -> bool:
    finding = reported.finding
    if reported.place is None or not isinstance(finding.fix, Fix) or finding.path in banned:
        return False
    local = settings.for_file(finding.path)
    safe = finding.fix.applicability is Applicability.SAFE
    return finding.code in local.fixable and (safe or local.unsafe_fixes)


def _second_look(survey: Survey, settings: SettingsResolver, texts: Mapping[str, tuple[SourceFile, str]]) -> Survey:
    overlay = {**survey.files.overlay, **{path: old.encode(text) for path, (old, text) in texts.items()}}
    return Survey(list(survey.project.given.values()), settings, overlay)


def _worse(
    survey: Survey,
    after: Survey,
    settings: SettingsResolver,
    texts: Mapping[str, tuple[SourceFile, str]],
    banned: Mapping[str, str],
) -> dict[str, str]:
    """Files in whose new lines a second look finds more than the first left there, with the reason."""
    known = {fault.path for fault in survey.faults}
    worse = {fault.path: f"its rewrite cannot be read: {fault.message}" for fault in after.faults if fault.path not in known}
    left = Counter((r.finding.path, r.finding.code) for r in survey.reported if not _is_wanted(r, settings, banned))
    for path, (old, text) in texts.items():
        written = _written_lines(old.text, text)
        inside = Counter(
            r.finding.code for r in after.reported if r.finding.path == path and r.finding.start.line in written
        )
        code = next((code for code, count in inside.items() if count > left[path, code]), None)
        if code is not None:
            worse[path] = f"its rewrite failed a check: a second look finds {code} in what was written"
    return worse


def _written_lines(old: str, new: str) -> set[int]:
    """1-based lines of `new` that `old` does not have."""
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    lines: set[int] = set()
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag in ("insert", "replace"):
            lines.update(range(start + 1, end + 1))
    return lines


def _resolved(before: Sequence[Finding], remaining: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of `before` that are gone: as many of each file and rule as are no longer reported."""
    left = Counter((finding.path, finding.code) for finding in remaining)
    fixed: list[Finding] = []
    for finding in sorted(before, key=lambda f: (f.is_fixable, f.sort_key)):
        key = (finding.path, finding.code)
        if left[key]:
            left[key] -= 1
        else:
            fixed.append(finding)
    return _sorted(fixed)


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.sort_key))
