"""Runs the user's models and turns what happened into a witness; a run that fails becomes a finding."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qprep.engine.runtime_evidence.observations import Witness, named
from qprep.engine.runtime_evidence.run_lookup import Run, real_path
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Finding, Position
from qprep.foundation.internal_rules import TRACE_FAILED, engine_finding
from qprep.foundation.source import display_path

if TYPE_CHECKING:
    from qprep.tracing.failure import TraceFailure
    from qprep.tracing.request import Request


class RewrittenRunError(QprepError):
    """A model that ran before a rewrite and does not run after it."""


Observe = Callable[[Mapping[str, bytes]], Witness | None]


@dataclass(slots=True)
class Observer:
    """Runs each target, each time with the contents given in place of files on disk.

    failed   targets that do not run as they are, with the reason; they are not run again
    witness  what the latest runs showed
    """

    requests: Sequence[Request]
    files: Collection[str]
    failed: dict[Request, TraceFailure] = field(default_factory=dict)
    witness: Witness | None = None
    _known: set[Request] = field(default_factory=set)

    def __call__(self, sources: Mapping[str, bytes]) -> Witness | None:
        """The observations of the runs, None if no target runs.

        RewrittenRunError for one that did run before `sources` changed.
        """
        wanted = [request for request in self.requests if request not in self.failed]
        runs = [run for request in wanted for run in self._run(request, sources)]
        self.witness = Witness(runs) if runs else None
        return self.witness

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One for each target that does not run."""
        return tuple(failure_finding(request, failure) for request, failure in self.failed.items())

    def _run(self, request: Request, sources: Mapping[str, bytes]) -> Iterator[Run]:
        from qprep.tracing.failure import TraceFailure
        from qprep.tracing.observe import observe

        found = observe(request, self.files, sources)
        if isinstance(found, TraceFailure):
            if request in self._known:
                raise RewrittenRunError(f"nothing was written: the rewritten model does not run: {found}")
            self.failed[request] = found
            return
        self._known.add(request)
        yield Run(request.target, found.report, found.ran, found.built)


def outside(witness: Witness, files: Collection[str]) -> Iterator[str]:
    """The unowned operations in other files, one line each: what `qprep fix` cannot touch."""
    inside = {real_path(path) for path in files}
    for path, by_range in sorted(witness.runs.unowned.items()):
        if path in inside:
            continue
        for where, seen in sorted(by_range.items()):
            names = ", ".join(dict.fromkeys(each.event.op for each in seen))
            yield f"{display_path(path)}:{where.line}:{where.column}: {names} in {named(seen)}"


def failure_finding(request: Request, failure: TraceFailure) -> Finding:
    """QP007, at the last line of the user's code that ran; the calls that led there are notes."""
    place = Position(failure.frames[-1].line, 1) if failure.frames else None
    path = failure.frames[-1].path if failure.frames else request.target.rpartition(":")[0]
    shown = display_path(path) if os.path.exists(path) else path
    finding = engine_finding(
        TRACE_FAILED, shown, failure.message, place, help="without --trace and --verify only the source is read"
    )
    return replace(finding, notes=tuple(map(str, failure.frames)))
