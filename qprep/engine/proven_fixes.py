"""Keeps the unsafe fixes that runs of the models prove, and leaves out those that change something or do not run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from qprep.engine.runtime_evidence.observer import RewrittenRunError
from qprep.engine.unsafe_fixes import UnsafeFix, Withheld
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from qprep.engine.runtime_evidence.equivalence_gate import Parts, Proof
    from qprep.engine.runtime_evidence.run_reach import RunCoverage

_SAFE_ALONE = "--verify: an unsafe fix was not tried together with the others"


class AppliedPasses(Protocol):
    """A rewrite that left some unsafe fixes out, before anything is written."""

    @property
    def contents(self) -> Mapping[str, bytes]:
        """The new contents of files, by path."""

    @property
    def late(self) -> Sequence[UnsafeFix]:
        """The unsafe fixes that later passes applied."""


_Passes = TypeVar("_Passes", bound=AppliedPasses)


@dataclass(slots=True)
class ProvenFixes(Generic[_Passes]):
    """Looks for the largest set of unsafe fixes, in order, with which the models compute what they did.

    passes  all passes of a rewrite that leaves something out; nothing is written
    unsafe  the unsafe fixes of the original texts
    parts   the safe fixes, to name the one that causes it where these fail
    """

    proof: Proof
    files: Collection[str]
    passes: Callable[[Withheld], _Passes]
    unsafe: Sequence[UnsafeFix]
    parts: Callable[[], Parts]
    _differences: dict[UnsafeFix, str] = field(default_factory=dict)

    def find(self) -> _Passes:
        """The passes to write; QprepError if safe fixes fail, TargetError where no target can be compared."""
        from qprep.tracing.bisection import keep

        reach = cache(lambda: self.proof.reach(self.files))  # another run, where there is an unsafe fix
        unproven = {fix: reason for fix in self.unsafe if (reason := _unreached(fix, reach())) is not None}
        withheld = Withheld(unproven, lambda fix: _unreached(fix, reach()))
        tried, difference = self._tried(withheld)
        if tried is not None and difference is None:
            return tried
        candidates = [fix for fix in self.unsafe if fix not in unproven]
        candidates += [fix for fix in tried.late if fix not in unproven] if tried is not None else []
        self._check_safe_ones()
        kept = keep(candidates, lambda some: self._holds(some, candidates, withheld))
        reasons = {fix: self._differences.get(fix, _SAFE_ALONE) for fix in candidates if fix not in kept}
        last, difference = self._tried(_without(withheld, reasons) if kept else _nothing_more(withheld, reasons))
        if last is None or difference is not None:
            raise QprepError(f"nothing was written: {difference}")
        return last

    def _check_safe_ones(self) -> None:
        """Raise QprepError if the safe fixes alone change something."""
        passes = self.passes(_nothing_more(Withheld(), {}))
        failed = self.proof.failure(passes.contents)
        if failed is not None:
            raise self.proof.error(failed, self.parts())

    def _holds(self, some: Sequence[UnsafeFix], candidates: Sequence[UnsafeFix], withheld: Withheld) -> bool:
        """True if the models compute what they did with these fixes; what a last fix changes is kept as its reason."""
        left = {fix: _SAFE_ALONE for fix in candidates if fix not in some}
        _, difference = self._tried(_without(withheld, left))
        if difference is not None:
            self._differences[some[-1]] = f"--verify: with this fix, {difference}"
        return difference is None

    def _tried(self, withheld: Withheld) -> tuple[_Passes | None, str | None]:
        """All passes, and what the models compute otherwise; no passes where a rewritten model no longer runs."""
        try:
            passes = self.passes(withheld)
        except RewrittenRunError as error:
            return None, str(error).partition(": ")[2]
        failed = self.proof.failure(passes.contents)
        return passes, None if failed is None else f"{failed[1].target} differs: {failed[1].difference}"


def _unreached(fix: UnsafeFix, reach: RunCoverage) -> str | None:
    """The reason why a run proves nothing about a fix; None if it ran the code."""
    seen = reach.scope(fix.path, fix.scope) if fix.late else reach.expression(fix.finding, fix.scope)
    return None if seen else f"not proven: the run of {reach.targets} does not go through this code"


def _without(withheld: Withheld, more: Mapping[UnsafeFix, str]) -> Withheld:
    return Withheld({**withheld.reasons, **more}, withheld.others)


def _nothing_more(withheld: Withheld, reasons: Mapping[UnsafeFix, str]) -> Withheld:
    """No unsafe fix at all."""
    return Withheld({**withheld.reasons, **reasons}, lambda fix: withheld.others(fix) or _SAFE_ALONE)
