"""Proves that a rewrite changed nothing: builds a model from both sources, in processes of their own, and compares."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.foundation.errors import QprepError
from qprep.tracing.child_runner import run_child, workspace
from qprep.tracing.failure import TraceFailure
from qprep.tracing.record_child import JOB, RecordJob
from qprep.tracing.request import Request
from qprep.tracing.verdict import COMPOUND, EXACT, RewriteDifference, Tolerance, VerifyResult

if TYPE_CHECKING:
    from qprep.tracing.build_record import BuildRecord

Sources = Mapping[str, bytes]  # path of a file → the contents to import in its place


def compare(request: Request, original: Sources, rewritten: Sources, tolerance: Tolerance = COMPOUND) -> VerifyResult:
    """Compare the model that `request` builds from `original` with the one from `rewritten` contents of files.

    Files in neither mapping are imported from disk, so either may be empty. Both are built from one seed; compared
    are the state_dict's keys, order and values, a strict load both ways, the parameters' order and tying, the random
    state after construction, outputs and effects on the inputs in evaluation and training mode, buffers and
    gradients; all of them bit for bit, except for models with compound modules of torch.nn, whose results may
    differ by `tolerance`. Raises QprepError if torch is missing or the device is meta.
    """
    if request.device == "meta":
        raise QprepError("--verify compares values, and tensors on the meta device have none")
    with workspace() as folder:
        failure = _record(request, original, RecordJob({}, "original", None, run=True), folder)
        if failure is not None:
            return VerifyResult(request.target, failure=failure)
        failure = _record(request, rewritten, RecordJob({}, "rewritten", "original", run=True), folder)
        if failure is not None:
            return VerifyResult(request.target, difference=_broken("the rewritten model", failure))
        return _judge(request, original, tolerance, folder)


def _judge(request: Request, original: Sources, tolerance: Tolerance, folder: Path) -> VerifyResult:
    from qprep.tracing.compare import first_difference

    first, second = _load(folder / "original"), _load(folder / "rewritten")
    notes = _leniency(first, tolerance)
    allowed = tolerance if first.compound else EXACT
    equal, difference = first_difference(first, second, allowed)
    if difference is None:
        return VerifyResult(request.target, equal, _loading_back(request, original, folder), notes=notes)
    failure = _record(request, original, RecordJob({}, "again", None, run=True), folder)
    if failure is None and first_difference(first, _load(folder / "again"), allowed)[1] is not None:
        sentence = f"{request.target} gives different results in two runs with the same seed"
        return VerifyResult(request.target, equal, failure=TraceFailure("run", sentence))
    return VerifyResult(request.target, equal, difference, notes=notes)


def _loading_back(request: Request, original: Sources, folder: Path) -> RewriteDifference | None:
    """True if the original model loads what the rewritten one saves."""
    failure = _record(request, original, RecordJob({}, "again", "rewritten", run=False), folder)
    if failure is not None:
        return _broken("the original model", failure)
    error = _load(folder / "again").load_error
    return (
        RewriteDifference("load", "", f"the original does not load the rewrite's state_dict: {error}")
        if error
        else None
    )


def _leniency(record: BuildRecord, tolerance: Tolerance) -> tuple[str, ...]:
    """The note on a model that cannot be compared bit for bit."""
    notes: list[str] = []
    if record.compound:
        notes.append(f"compound modules: compared within {tolerance.absolute:g} + {tolerance.relative:g} · |value|")
    if record.train_error is not None:
        notes.append(f"the original does not train ({record.train_error}): training mode not compared")
    return tuple(notes)


def _broken(who: str, failure: TraceFailure) -> RewriteDifference:
    return RewriteDifference(failure.stage, "", f"{who}: {failure}")


def _record(request: Request, sources: Sources, job: RecordJob, folder: Path) -> TraceFailure | None:
    names: dict[str, str] = {}
    for index, (path, contents) in enumerate(sources.items()):
        names[os.path.realpath(path)] = f"{job.save}-{index}.py"
        (folder / f"{job.save}-{index}.py").write_bytes(contents)
    (folder / JOB).write_text(RecordJob(names, job.save, job.load, job.run).to_json())
    return run_child("qprep.tracing.record_child", request, folder)


def _load(path: Path) -> BuildRecord:
    import torch

    record: BuildRecord = torch.load(path, weights_only=False)
    return record
