"""Tries a rewrite before it is written: the models must compute what they did, or the fix that causes it is named."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qprep.engine.runtime_evidence.observer import Observer, failure_finding
from qprep.engine.runtime_evidence.run_reach import RunCoverage
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from qprep.foundation.findings import Finding
    from qprep.tracing.request import Request
    from qprep.tracing.verdict import VerifyResult


class TargetError(QprepError):
    """A model that cannot be compared with itself; `finding` (QP007) says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Parts:
    """The fixes of a rewrite in order, and the contents of files (by path) when some of them are applied."""

    findings: Sequence[Finding]
    rewrite: Callable[[Sequence[Finding]], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class _Judged:
    """The comparisons of a rewrite with which all targets are equal, or the first that is not."""

    results: tuple[VerifyResult, ...]
    failed: tuple[Request, VerifyResult] | None


@dataclass(slots=True)
class Proof:
    """Compares each target built from the original and from the rewritten sources.

    results  the comparisons of the rewrite that was accepted
    watch    called before each comparison
    """

    requests: Sequence[Request]
    watch: Callable[[Request], None] | None = None
    original: Mapping[str, bytes] = field(default_factory=dict)
    results: list[VerifyResult] = field(default_factory=list)
    _known: dict[frozenset[tuple[str, bytes]], _Judged] = field(default_factory=dict)

    def failure(self, rewritten: Mapping[str, bytes]) -> tuple[Request, VerifyResult] | None:
        """The first target that computes something else with these contents of files, and the difference.

        None if all are equal; `results` are their comparisons then. TargetError where a target cannot be compared.
        """
        key = frozenset(rewritten.items())
        if key not in self._known:
            self._known[key] = self._judge(rewritten)
        judged = self._known[key]
        self.results = list(judged.results)
        return judged.failed

    def _judge(self, rewritten: Mapping[str, bytes]) -> _Judged:
        from qprep.tracing.model_equality import compare

        results: list[VerifyResult] = []
        for request in self.requests:
            if self.watch is not None:
                self.watch(request)
            result = compare(request, self.original, {**self.original, **rewritten})
            if result.failure is not None:
                raise TargetError(failure_finding(request, result.failure))
            if result.difference is not None:
                return _Judged((), (request, result))
            results.append(result)
        return _Judged(tuple(results), None)

    def reach(self, files: Collection[str]) -> RunCoverage:
        """The code of `files` that a forward pass of the targets evaluates; TargetError if a target does not run."""
        observer = Observer(self.requests, files)
        witness = observer(self.original)
        if witness is None or observer.findings:
            raise TargetError(observer.findings[0])
        return RunCoverage(witness.runs)

    def error(self, failed: tuple[Request, VerifyResult], parts: Parts) -> QprepError:
        """The error for a rewrite of safe fixes that fails: the first difference, and the fix to blame."""
        request, result = failed
        return QprepError(f"nothing was written: {result}; {self._blame(request, parts)}")

    @property
    def summary(self) -> str:
        """The numbers of equal models and tensors, and notes on those compared less strictly."""
        models, tensors = len(self.results), sum(result.tensors for result in self.results)
        plural = "model" if models == 1 else "models"
        notes = [f"{result.target}: {note}" for result in self.results for note in result.notes]
        return "\n".join([f"verified: {models} {plural}, {tensors} tensors equal", *notes])

    def _blame(self, request: Request, parts: Parts) -> str:
        from qprep.tracing.bisection import bisect
        from qprep.tracing.model_equality import compare

        def differs(some: Sequence[Finding]) -> bool:
            return not compare(request, self.original, {**self.original, **parts.rewrite(some)}).equal

        found = bisect(parts.findings, differs) if parts.findings else None
        if found is None:
            return "no single fix causes it, only a later fix on top of the others"
        place = f"{found.path}:{found.start.line}:{found.start.column}"
        return f"the fix of {found.code} ({found.name}) at {place} causes it"
