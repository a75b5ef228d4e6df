"""The result of a preparation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.engine.preparing.rewriting import LeftFinding

if TYPE_CHECKING:
    from qprep.engine.preparing.source_store import PreparedSources
    from qprep.tracing.trace_report import TraceReport


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """The result of a preparation.

    target     the model, as it was named
    rewritten  the modules that were imported in a rewritten form
    fixed      how many findings that resolved
    tensors    how many tensors (state, outputs, gradients) of the rewritten model were equal to the original's
    notes      what was compared less strictly, or not at all, and why
    findings   the findings that stay in the model's files, with place and reason; not all need concern this model
    failed     files that are as they were because they could not be rewritten, with the reason
    trace      one run of the prepared model
    """

    target: str
    rewritten: tuple[str, ...]
    fixed: int
    tensors: int
    notes: tuple[str, ...]
    findings: tuple[LeftFinding, ...]
    failed: tuple[str, ...]
    trace: TraceReport

    @property
    def is_prepared(self) -> bool:
        """True if every operation of the run has a module of its own, and none ran twice."""
        return self.trace.is_prepared

    @property
    def left(self) -> tuple[str, ...]:
        """One line for each place that keeps the model from being prepared; with qprep's reason where it has one."""
        return tuple(self._left())

    def _left(self) -> Iterator[str]:
        from qprep.tracing.trace_text import reused, rows

        for row in rows(self.trace.unowned):
            yield f"{row.place}: {row.op} in {row.modules}"
        yield from reused(self.trace.reused)

    def __str__(self) -> str:
        verdict = "prepared" if self.is_prepared else "not prepared"
        files = "file" if len(self.rewritten) == 1 else "files"
        findings = "finding" if self.fixed == 1 else "findings"
        first = (
            f"{self.target}: {verdict}; {self.fixed} {findings} fixed in {len(self.rewritten)} {files}, "
            f"verified: {self.tensors} tensors equal"
        )
        return "\n".join([first, *self.notes, *(f"left: {place}" for place in self.left)])


def summed(
    target: str, parts: Iterable[PreparedSources], equal: int, notes: Iterable[str], trace: TraceReport
) -> PrepareReport:
    """The report of a model whose files come from several packages."""
    found = list(parts)
    return PrepareReport(
        target,
        tuple(sorted(name for part in found for name in part.rewritten)),
        sum(part.fixed for part in found),
        equal,
        tuple(notes),
        tuple(finding for part in found for finding in part.left),
        tuple(reason for part in found for reason in part.failed),
        trace,
    )
