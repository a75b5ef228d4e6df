"""Rewrites files that know of each other, pass after pass, until nothing more can be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qprep.analysis.inputs import Setting
from qprep.engine.proven_fixes import ProvenFixes
from qprep.engine.results import ChangedFile, FixResult, in_order, is_applicable
from qprep.engine.runtime_evidence.equivalence_gate import Parts
from qprep.engine.second_look import worse
from qprep.engine.snapshot import Reported, Survey
from qprep.engine.unsafe_fixes import UnsafeFix, Withheld, unsafe_fixes
from qprep.foundation.findings import Finding, Fix, Rejection, RejectionCode
from qprep.foundation.source import SourceFile, display_path, is_generated
from qprep.rewriting.apply import new_texts
from qprep.rewriting.gates import reject_rewrite, reject_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from qprep.engine.baseline import Baseline
    from qprep.engine.config.settings import SettingsResolver
    from qprep.engine.runtime_evidence.equivalence_gate import Proof
    from qprep.engine.runtime_evidence.observer import Observe

MAX_PASSES = 10


def run_passes(
    paths: Sequence[Path],
    setting: Setting,
    *,
    settings: SettingsResolver,
    overlay: Mapping[str, bytes],
    observe: Observe | None = None,
    prove: Proof | None = None,
    baseline: Baseline | None = None,
) -> FixResult:
    """The result of rewriting files; writes nothing, and leaves findings of the baseline as they are."""
    first = Survey(paths, settings, dict(overlay), observe, setting)

    def passes(withheld: Withheld) -> FixPasses:
        return _run(first, settings, _Ledger(baseline, withheld))

    if prove is None:
        return _result(first, passes(Withheld()), len(paths))
    wanted = [reported.finding for reported in _wanted(first, settings, _Ledger(baseline))]
    unsafe = list(unsafe_fixes(in_order(wanted), first.files.overlay, late=False).values())
    safe = _Ledger(baseline, Withheld(others=lambda _: "only safe fixes are blamed"))
    files = [str(path) for path in paths]
    found = ProvenFixes(prove, files, passes, unsafe, lambda: _parts(first, settings, safe)).find()
    return _result(first, found, len(paths))


@dataclass(frozen=True, slots=True)
class FixPasses:
    """All passes of a rewrite, before anything is written.

    after    the look that followed the last pass
    changed  the files that are another now
    """

    after: Survey
    ledger: _Ledger
    changed: tuple[ChangedFile, ...]

    @property
    def contents(self) -> dict[str, bytes]:
        """The new contents of files, by path."""
        return {entry.path: self.after.files.overlay[entry.path] for entry in self.changed}

    @property
    def late(self) -> tuple[UnsafeFix, ...]:
        """The unsafe fixes that later passes applied."""
        return tuple(self.ledger.late)


def _run(first: Survey, settings: SettingsResolver, ledger: _Ledger) -> FixPasses:
    survey, current = first, dict(first.files.overlay)
    originals: dict[str, SourceFile] = {}
    for _ in range(MAX_PASSES):
        step = _one_pass(survey, settings, ledger)
        ledger.is_first = False
        if step is None:
            break
        for path, old in step.changed.items():
            originals.setdefault(path, old)
        current, survey = dict(step.after.files.overlay), step.after
    changed = tuple(
        ChangedFile(path, old, SourceFile.from_bytes(path, current[path]).text)
        for path, old in sorted(originals.items())
        if current[path] != old.data
    )
    ledger.is_first = survey is first
    return FixPasses(survey, ledger, changed)


def _result(first: Survey, passes: FixPasses, files: int) -> FixResult:
    survey, ledger = passes.after, passes.ledger
    before = [reported.finding for reported in first.reported]
    left, withheld = _left_alone(survey, ledger), _withheld(survey, ledger)
    remaining = [
        _explained(survey.with_fix(reported), ledger.banned, left, withheld.get(reported.finding))
        for reported in survey.reported
    ]
    remaining += survey.faults + ledger.rejected
    fixed = _resolved(before, remaining)
    return FixResult(tuple(before), fixed, tuple(remaining), passes.changed, tuple(ledger.reverted), files)


def _withheld(survey: Survey, ledger: _Ledger) -> dict[Finding, str]:
    """The findings whose unsafe fix is left out, with the reason."""
    findings = [reported.finding for reported in survey.reported]
    fixes = unsafe_fixes(findings, survey.files.overlay, late=not ledger.is_first)
    return {finding: reason for finding, fix in fixes.items() if (reason := ledger.withheld.reason(fix)) is not None}


def _parts(survey: Survey, settings: SettingsResolver, ledger: _Ledger) -> Parts:
    """The fixes of the first pass, and what the files become by some of them."""
    places = {r.finding: r.place for r in _wanted(survey, settings, ledger) if r.place is not None}

    def rewrite(findings: Sequence[Finding]) -> Mapping[str, bytes]:
        texts = new_texts(survey.plan, [places[finding] for finding in findings])
        return {path: old.encode(text) for path, (old, text) in texts.items()}

    return Parts(in_order(list(places)), rewrite)


@dataclass(slots=True)
class _Ledger:
    """Excluded findings and files, and the results of the gates so far.

    baseline  the findings that stay as they are
    withheld  the unsafe fixes that are left out
    banned    files that are not rewritten (any more), with the reason
    sound     files that passed the gate of the untouched text
    passed    the new texts that passed the gates last
    is_first  whether the analysed texts are the original ones
    late      the unsafe fixes that later passes applied
    """

    baseline: Baseline | None = None
    withheld: Withheld = field(default_factory=Withheld)
    banned: dict[str, Rejection] = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)
    passed: dict[str, str] = field(default_factory=dict)
    reverted: list[Finding] = field(default_factory=list)
    rejected: list[Finding] = field(default_factory=list)
    is_first: bool = True
    late: dict[UnsafeFix, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _AppliedPass:
    """One pass that changed something: the files as they were before it, and the look that followed."""

    changed: Mapping[str, SourceFile]
    after: Survey


def _explained(
    finding: Finding, banned: Mapping[str, Rejection], left: frozenset[Finding], withheld: str | None
) -> Finding:
    """A finding with the reason why its fix is left out: a file that cannot change, or a finding of the baseline."""
    if isinstance(finding.fix, Fix) and any(_is_same(finding, other) for other in left):
        return replace(
            finding,
            fix=Rejection("the baseline lists it, or a finding that the fix would change", RejectionCode.SETTING),
        )
    if finding.path in banned and isinstance(finding.fix, Fix):
        return replace(finding, fix=banned[finding.path])
    if withheld is not None and isinstance(finding.fix, Fix):
        return replace(finding, fix=Rejection(withheld, RejectionCode.SETTING))
    return finding


def _one_pass(survey: Survey, settings: SettingsResolver, ledger: _Ledger) -> _AppliedPass | None:
    """Rewrite all that is wanted, gates passed; None if nothing is left to do."""
    while True:
        chosen = _wanted(survey, settings, ledger)
        texts = new_texts(survey.plan, [reported.place for reported in chosen if reported.place is not None])
        untouchable = _untouchable(texts, ledger)
        failures = _unsound({path: pair for path, pair in texts.items() if path not in untouchable}, ledger)
        if not untouchable and not failures:
            texts = {path: pair for path, pair in texts.items() if pair[0].text != pair[1]}
            if not texts:
                return None
            after = _second_look(survey, settings, texts)
            if _repeated(survey, after, texts):
                continue
            failures = worse(survey, after, settings, texts, set(chosen))
            if not failures:
                if not ledger.is_first:
                    applied = unsafe_fixes([r.finding for r in chosen], survey.files.overlay, late=True)
                    ledger.late.update(dict.fromkeys(applied.values()))
                return _AppliedPass({path: old for path, (old, _) in texts.items()}, after)
        _ban(survey, chosen, {**failures, **untouchable}, ledger)
        rejected = (r.finding for r in chosen if r.finding.path in failures)
        ledger.reverted += [replace(finding, fix=failures[finding.path]) for finding in rejected]


def _ban(survey: Survey, chosen: Sequence[Reported], failures: Mapping[str, Rejection], ledger: _Ledger) -> None:
    """Leave the files that failed as they are, and with them every file whose rewrite would change one of them."""
    ledger.banned.update(failures)
    for reported in chosen:
        if reported.place is None or reported.finding.path in ledger.banned:
            continue
        touched = {display_path(survey.project.given[module]) for module, _ in survey.edits(reported.place)}
        if touched & set(failures):
            ledger.banned[reported.finding.path] = failures[min(touched & set(failures))]


def _unsound(texts: Mapping[str, tuple[SourceFile, str]], ledger: _Ledger) -> dict[str, Rejection]:
    """Files whose new text fails a gate, with the reason."""
    new = {path: pair for path, pair in texts.items() if pair[1] not in (pair[0].text, ledger.passed.get(path))}
    faults = {path: reject_rewrite(old, text) for path, (old, text) in new.items()}
    ledger.passed.update((path, text) for path, (_, text) in new.items() if faults[path] is None)
    return {
        path: replace(fault, reason=f"its rewrite failed a check: {fault.reason}")
        for path, fault in faults.items()
        if fault is not None
    }


def _untouchable(texts: Mapping[str, tuple[SourceFile, str]], ledger: _Ledger) -> dict[str, Rejection]:
    """Files that must not be rewritten at all, with the reason."""
    found: dict[str, Rejection] = {}
    for path, (old, _) in texts.items():
        if path in ledger.sound:
            continue
        if is_generated(old):
            reason = "the file is marked @generated; its generator would overwrite a fix"
            found[path] = Rejection(reason, RejectionCode.GATE)
        elif (finding := reject_source(old)) is None:
            ledger.sound.add(path)
        else:
            ledger.rejected.append(finding)
            found[path] = Rejection(finding.message, RejectionCode.GATE)
    return found


def _wanted(survey: Survey, settings: SettingsResolver, ledger: _Ledger) -> list[Reported]:
    """The findings to fix: applicable, in files that may be changed, and not of the baseline."""
    left = _left_alone(survey, ledger) | _withheld(survey, ledger).keys()
    return [
        reported
        for reported in survey.reported
        if reported.place is not None
        and reported.finding not in left
        and reported.finding.path not in ledger.banned
        and is_applicable(reported.finding, settings)
    ]


def _left_alone(survey: Survey, ledger: _Ledger) -> frozenset[Finding]:
    """The findings of the baseline, and those whose rewrite would change the code of one of these.

    That is one inside the expression, or in a function that would become a module together with it.
    """
    if ledger.baseline is None:
        return frozenset()
    known = ledger.baseline.known((reported.finding for reported in survey.reported), survey.files.overlay)
    places = {reported.place for reported in survey.reported if reported.finding in known}
    return known | {
        reported.finding
        for reported in survey.reported
        if reported.place is not None
        and (
            any(_is_inside(reported.finding, other) for other in known)
            or not places.isdisjoint(survey.plan.group(reported.place))
        )
    }


def _is_inside(finding: Finding, other: Finding) -> bool:
    return finding.path == other.path and other.start <= finding.start and finding.end <= other.end


def _is_same(finding: Finding, other: Finding) -> bool:
    return finding.sort_key == other.sort_key


def _second_look(survey: Survey, settings: SettingsResolver, texts: Mapping[str, tuple[SourceFile, str]]) -> Survey:
    overlay = {**survey.files.overlay, **{path: old.encode(text) for path, (old, text) in texts.items()}}
    return Survey(survey.paths, settings, overlay, survey.observe, survey.setting)


def _repeated(survey: Survey, after: Survey, texts: Mapping[str, tuple[SourceFile, str]]) -> bool:
    """True if new attributes turned out to run more than once, and were given an instance per call."""
    modules = {display_path(path): name for name, path in survey.project.given.items()}
    found = False
    for reported in after.reported:
        call = after.analysis.facts.calls.get(reported.place) if reported.place is not None else None
        if call is not None and reported.finding.path in texts:
            found |= survey.plan.repeat(modules[reported.finding.path], str(call.path))
    return found


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
    return in_order(fixed)
