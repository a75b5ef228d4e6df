"""Traces a target in a child process and finds out which expressions of given files it evaluates."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from qprep.foundation.regular_files import read_text
from qprep.tracing import child
from qprep.tracing.child_runner import read_answer, run_child, workspace
from qprep.tracing.failure import TraceFailure
from qprep.tracing.observe_child import JOB, ObserveJob, read_places
from qprep.tracing.request import Request
from qprep.tracing.trace_report import TraceReport
from qprep.tracing.trace_values import TracePlace


@dataclass(frozen=True, slots=True)
class Observed:
    """A traced forward pass; `ran` and `built` are the expressions evaluated in it and while the model was built."""

    report: TraceReport
    ran: frozenset[TracePlace]
    built: frozenset[TracePlace]


def observe(request: Request, files: Collection[str], sources: Mapping[str, bytes]) -> Observed | TraceFailure:
    """Trace one forward pass of the model that `request` describes; expressions count in `files` alone.

    `sources` gives contents that are imported in place of those on disk. A failure of the user's code is a
    TraceFailure; QprepError if torch is missing.
    """
    with workspace() as folder:
        names: dict[str, str] = {}
        for index, (path, contents) in enumerate(sources.items()):
            names[os.path.realpath(path)] = f"source-{index}.py"
            (folder / f"source-{index}.py").write_bytes(contents)
        (folder / JOB).write_text(ObserveJob(sorted(map(os.path.realpath, files)), names).to_json())
        failure = run_child("qprep.tracing.observe_child", request, folder)
        if failure is not None:
            return failure
        return read_answer(request, lambda: _observed(folder))


def _observed(folder: Path) -> Observed:
    ran, built = read_places(folder)
    return Observed(TraceReport.from_json(read_text(folder / child.REPORT)), ran, built)
