"""Find, fix, verify, write: the flow from files to results."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.inputs import Files, Setting
from qprep.analysis.interpreter.open_names import open_names
from qprep.analysis.symbols.parse_cache import ParsedFiles
from qprep.engine.execution import Effort
from qprep.engine.partitioning import Division, SummaryStore, divide, whole
from qprep.engine.results import ChangedFile, CheckResult, FixResult, in_order, is_applicable
from qprep.engine.scheduler import ExternalModules, Memory, PartLook, run_parts
from qprep.engine.summarize import summaries_of
from qprep.engine.surroundings import Beside
from qprep.engine.work import Work
from qprep.engine.write_order import definitions_first
from qprep.foundation import gc_pause
from qprep.foundation.file_transaction.replace_files import Replacement, replace_files
from qprep.foundation.findings import Finding, Fix
from qprep.foundation.internal_rules import ALWAYS_ON

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from qprep.analysis.dependencies.partitions import Partition
    from qprep.engine.baseline import Baseline
    from qprep.engine.config.settings import SettingsResolver
    from qprep.engine.incremental.cache import Cache
    from qprep.engine.runtime_evidence.equivalence_gate import Proof
    from qprep.engine.runtime_evidence.observer import Observe
    from qprep.engine.snapshot import Survey


def check(
    paths: Sequence[Path],
    settings: SettingsResolver,
    *,
    overlay: Mapping[str, bytes] | None = None,
    observe: Observe | None = None,
    effort: Effort | None = None,
    beside: Sequence[Path] = (),
) -> CheckResult:
    """Find; changes nothing. `observe` runs the user's models on the given contents of files.

    The files `beside` are read for their effects on the given ones, and not reported.
    """
    texts, effort = overlay or {}, effort or Effort()
    cache = _cache(effort, texts, observe)
    memory = _check_memory(cache) if cache is not None else None
    part = partial(check_part, settings=settings, overlay=texts, observe=observe, edits=effort.assembles)
    look = PartLook("check", part, _parsed(effort))
    divisions = _divisions(paths, settings, texts, effort, observe)
    project = Beside(beside, Files(texts), _store(effort, texts, observe))

    def run(divisions: Sequence[Division]) -> list[CheckResult]:
        return run_parts(look, Work(divisions, settings, texts, effort), memory, partial(_shortened, effort=effort))

    done = run(project.around(divisions)) if observe is not None else _in_project(run, divisions, project, settings)
    unknown = tuple(finding for part in done for finding in part.unknown_sites)
    number = sum(part.unknown for part in done)
    return CheckResult(in_order([f for part in done for f in part.findings]), len(paths), number, unknown)


def _in_project(
    run: Callable[[Sequence[Division]], list[CheckResult]],
    divisions: Sequence[Division],
    project: Beside,
    settings: SettingsResolver,
) -> list[CheckResult]:
    """The results of all parts: of the given files alone, where the other files can only forbid what is forbidden.

    Other files matter where a fix may be applied, as they add doubts about it, or where a class or function is left
    open that one of them may use. Where neither holds, a fix that they would decline, or show to be safe because a
    search reaches its limits with them (docs/soundness.md), stays unsafe.
    """
    if not project.paths:
        return run(divisions)
    done = run(_noting_open_names(divisions))
    rest = [number for number, result in enumerate(done) if _needs_others(result, project, settings)]
    again = run(project.around(_some_parts(divisions, rest))) if rest else []
    for number, result in zip(rest, again, strict=True):
        done[number] = result
    return done


def _noting_open_names(divisions: Sequence[Division]) -> list[Division]:
    """The same parts, each of which notes what other files may tell."""
    return [replace(d, parts=tuple(replace(part, notes_open_names=True) for part in d.parts)) for d in divisions]


def _needs_others(result: CheckResult, project: Beside, settings: SettingsResolver) -> bool:
    """True if the other files of a project may change what counts of a result of the given files alone."""
    if result.open is None or any(is_applicable(finding, settings) for finding in result.findings):
        return True
    return project.may_use(result.open)


def _some_parts(divisions: Sequence[Division], numbers: Collection[int]) -> list[Division]:
    """The divisions with some of their parts, by the position among all."""
    found: list[Division] = []
    first = 0
    for division in divisions:
        parts = tuple(part for at, part in enumerate(division.parts, first) if at in numbers)
        found += [replace(division, parts=parts)] if parts else []
        first += len(division.parts)
    return found


def _shortened(result: CheckResult, *, effort: Effort) -> CheckResult:
    """Drops the edits from a part's result unless they are wanted: they take several times the memory of the rest."""
    findings = result.findings if effort.edits else tuple(map(_without_edits, result.findings))
    unknown = result.unknown_sites if effort.unknown else ()
    return replace(result, findings=findings, unknown_sites=unknown)


def _without_edits(finding: Finding) -> Finding:
    return replace(finding, fix=replace(finding.fix, edits=())) if isinstance(finding.fix, Fix) else finding


def check_part(
    paths: Sequence[Path],
    setting: Setting,
    *,
    settings: SettingsResolver,
    overlay: Mapping[str, bytes],
    observe: Observe | None = None,
    edits: bool = True,
) -> tuple[CheckResult, ExternalModules]:
    """Look at files that know of each other; without `edits`, fixes say only that they are there."""
    from qprep.engine.snapshot import Survey  # what a run finds in the cache needs none of it

    with gc_pause.paused():
        return _checked(Survey(paths, settings, overlay, observe, setting), len(paths), edits=edits)


def _checked(survey: Survey, files: int, *, edits: bool) -> tuple[CheckResult, ExternalModules]:
    found = survey.findings() if edits else [reported.finding for reported in survey.reported]
    findings = found + survey.faults
    left = open_names(survey.analysis, survey.own) if survey.setting.notes_open_names else None
    result = CheckResult(tuple(findings), files, len(survey.unknown), tuple(survey.unknown), left)
    return result, survey.project.beside()


def _divisions(
    paths: Sequence[Path],
    settings: SettingsResolver,
    overlay: Mapping[str, bytes],
    effort: Effort,
    runs: object,
) -> list[Division]:
    """Files that are analysed together: all of them if one run of a model may go through any of them."""
    if runs is not None:
        return whole(paths)
    summaries = partial(summaries_of, settings=settings, overlay=overlay, effort=effort)
    return divide(paths, Files(overlay), _store(effort, overlay, runs), summaries)


def _store(effort: Effort, overlay: Mapping[str, bytes], runs: object) -> SummaryStore | None:
    """The summaries that are known: those in this process hold for other contents than the disk's, too."""
    return effort.held.store(overlay) if effort.held is not None else _cache(effort, overlay, runs)


def _parsed(effort: Effort) -> ParsedFiles:
    return effort.held.parsed if effort.held is not None else ParsedFiles()


def _cache(effort: Effort, overlay: Mapping[str, bytes], runs: object) -> Cache | None:
    """The results of earlier runs; none for other contents, nor with runs of models."""
    return effort.cache if runs is None and not overlay else None


def _check_memory(cache: Cache) -> Memory[CheckResult]:
    return Memory(cache.result, lambda part, outcome: cache.keep(part, outcome.result, outcome.asked))


def fix(
    paths: Sequence[Path],
    settings: SettingsResolver,
    *,
    write: bool,
    overlay: Mapping[str, bytes] | None = None,
    observe: Observe | None = None,
    prove: Proof | None = None,
    effort: Effort | None = None,
    baseline: Baseline | None = None,
    beside: Sequence[Path] = (),
) -> FixResult:
    """Rewrite until nothing more can be; each file's new text passes every gate or the file stays as it was.

    All new texts are written, or none: raises QprepError, with every file as it was, where one cannot be.

    `observe` runs the user's models on the contents of each pass; `prove` is called before anything is written, and
    raises what keeps it from that. What the `baseline` holds stays as it is. The files `beside` are
    read for their effects on the given ones, and not changed.
    """
    texts, effort = overlay or {}, effort or Effort()
    runs = observe or prove
    cache = _cache(effort, texts, runs)
    memory = _fix_memory(cache, settings) if cache is not None else None
    work = partial(fix_part, settings=settings, overlay=texts, observe=observe, prove=prove, baseline=baseline)
    look = PartLook("fix", work, _parsed(effort))
    divisions = _divisions(paths, settings, texts, effort, runs)
    project = Beside(beside, Files(texts), _store(effort, texts, runs))
    if runs is not None or not beside:
        done = run_parts(look, Work(project.around(divisions), settings, texts, effort, baseline), memory)
    else:
        done = _fixed_in_project(look, Work(divisions, settings, texts, effort, baseline), memory, project)
    result = FixResult(
        in_order([finding for part in done for finding in part.before]),
        in_order([finding for part in done for finding in part.fixed]),
        in_order([finding for part in done for finding in part.remaining]),
        tuple(sorted((entry for part in done for entry in part.changed), key=lambda entry: entry.path)),
        tuple(finding for part in done for finding in part.reverted),
        len(paths),
    )
    if write:
        replace_files([_replacement(entry) for entry in definitions_first(result.changed)])
    return result


def _fixed_in_project(
    look: PartLook[FixResult], work: Work, memory: Memory[FixResult] | None, project: Beside
) -> list[FixResult]:
    """The results of all parts; one in which a check of the given files alone finds nothing to fix needs no more."""
    settings, effort = work.settings, work.effort
    part = partial(check_part, settings=settings, overlay=work.overlay)
    known = _check_memory(effort.cache) if memory is not None and effort.cache is not None else None
    every = replace(work, divisions=_noting_open_names(work.divisions), effort=replace(effort, edits=True))
    alone = run_parts(PartLook("check", part, look.parsed), every, known)
    rest = [number for number, result in enumerate(alone) if _needs_others(result, project, settings)]
    done = [_unfixed(result) for result in alone]
    if rest:
        again = replace(work, divisions=project.around(_some_parts(work.divisions, rest)))
        for number, result in zip(rest, run_parts(look, again, memory), strict=True):
            done[number] = result
    return done


def _replacement(entry: ChangedFile) -> Replacement:
    return Replacement(entry.path, entry.old.encode(entry.new_text), entry.old.data)


def _fix_memory(cache: Cache, settings: SettingsResolver) -> Memory[FixResult]:
    """Files in which a check found nothing that can be fixed need no other look."""

    def find(part: Partition) -> FixResult | None:
        known = cache.result(part)
        if known is None or any(is_applicable(finding, settings) for finding in known.findings):
            return None
        return _unfixed(known)

    return Memory(find)


def _unfixed(known: CheckResult) -> FixResult:
    """The result of fixing files in which a check finds nothing that can be fixed."""
    before = tuple(finding for finding in known.findings if finding.code not in ALWAYS_ON)
    return FixResult(before, (), known.findings, (), (), known.files)


def fix_part(
    paths: Sequence[Path],
    setting: Setting,
    *,
    settings: SettingsResolver,
    overlay: Mapping[str, bytes],
    observe: Observe | None = None,
    prove: Proof | None = None,
    baseline: Baseline | None = None,
) -> tuple[FixResult, ExternalModules]:
    """Rewrite files that know of each other; nothing is written."""
    from qprep.engine.fix_loop import run_passes

    result = run_passes(
        paths, setting, settings=settings, overlay=overlay, observe=observe, prove=prove, baseline=baseline
    )
    return result, {}
