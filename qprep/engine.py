"""Find, fix, verify, write: the flow from files to results."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING

from qprep.findings import Applicability, Finding, Fix
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
    banned: set[str] = set()
    reverted: list[Finding] = []
    refused: list[Finding] = []
    for _ in range(MAX_PASSES):
        step = _one_pass(survey, settings, banned, reverted, refused)
        if not step:
            break
        for path, (old, new_text) in step.items():
            originals.setdefault(path, old)
            current[path] = old.encode(new_text)
        survey = Survey(paths, settings, current)
    changed = [
        ChangedFile(path, old, SourceFile.from_bytes(path, current[path]).text)
        for path, old in sorted(originals.items())
        if current[path] != old.data
    ]
    if write:
        for entry in changed:
            write_atomically(entry.path, entry.old.encode(entry.new_text), entry.old.data)
    remaining = [survey.with_fix(reported) for reported in survey.reported] + survey.faults + refused
    fixed = _resolved(before, remaining)
    return FixResult(_sorted(before), fixed, _sorted(remaining), tuple(changed), tuple(reverted), len(paths))


def _one_pass(
    survey: Survey, settings: SettingsResolver, banned: set[str], reverted: list[Finding], refused: list[Finding]
) -> dict[str, tuple[SourceFile, str]]:
    """New texts of the files that change in this pass, all gates passed."""
    while True:
        chosen = [reported for reported in survey.reported if _is_wanted(reported, settings, banned)]
        texts = new_texts(survey, [reported.place for reported in chosen if reported.place is not None])
        failures = dict(_failures(survey, texts, refused))
        if not failures:
            texts = {path: pair for path, pair in texts.items() if pair[0].text != pair[1]}
            size = len(banned)
            if not texts or _is_progress(survey, settings, texts, banned, reverted):
                return texts
            if len(banned) == size:
                return {}
            continue
        banned |= set(failures)
        reverted += [reported.finding for reported in chosen if reported.finding.path in failures]


def _is_wanted(reported: Reported, settings: SettingsResolver, banned: set[str]) -> bool:
    finding = reported.finding
    if reported.place is None or not isinstance(finding.fix, Fix) or finding.path in banned:
        return False
    local = settings.for_file(finding.path)
    safe = finding.fix.applicability is Applicability.SAFE
    return finding.code in local.fixable and (safe or local.unsafe_fixes)


def _failures(
    survey: Survey, texts: Mapping[str, tuple[SourceFile, str]], refused: list[Finding]
) -> list[tuple[str, str]]:
    """Files whose untouched text or whose rewrite does not pass the gates, with the reason."""
    found: list[tuple[str, str]] = []
    for path, (old, new_text) in texts.items():
        if (finding := refuse_untouched(old)) is not None:
            refused.append(finding)
            found.append((path, finding.message))
        elif (reason := refuse_rewrite(old, new_text)) is not None:
            found.append((path, reason))
    return found


def _is_progress(
    survey: Survey,
    settings: SettingsResolver,
    texts: Mapping[str, tuple[SourceFile, str]],
    banned: set[str],
    reverted: list[Finding],
) -> bool:
    """A second look must find less than the first, and no more in what was written than was left there before."""
    paths = list(survey.project.given.values())
    overlay = {**survey.files.overlay, **{path: old.encode(text) for path, (old, text) in texts.items()}}
    after = Survey(paths, settings, overlay)
    worse = {fault.path for fault in after.faults} - {fault.path for fault in survey.faults}
    left = Counter((r.finding.path, r.finding.code) for r in survey.reported if not _is_wanted(r, settings, banned))
    for path, (old, text) in texts.items():
        written = _written_lines(old.text, text)
        inside = Counter(
            r.finding.code for r in after.reported if r.finding.path == path and r.finding.start.line in written
        )
        if any(count > left[path, code] for code, count in inside.items()):
            worse.add(path)
    if not worse:
        return len(after.reported) < len(survey.reported)
    banned |= worse
    reverted += [r.finding for r in survey.reported if r.finding.path in worse]
    return False


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
