"""Unsafe fixes that a rewrite leaves out, recognised in the texts of later passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.engine.baseline import entries_of
from qprep.foundation.findings import Applicability, Finding, Fix
from qprep.foundation.source_cache import Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class UnsafeFix:
    """An unsafe fix of the original texts or, where `late`, all of one rule in one function of later texts.

    finding  what it resolves; of a late one, the first
    scope    the dotted name of the function around it
    """

    finding: Finding = field(compare=False)
    path: str
    scope: str
    code: str
    late: bool
    place: tuple[object, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """The key that it shares with findings of the same rule in the same function."""
        return self.path, self.scope, self.code


@dataclass(frozen=True, slots=True)
class Withheld:
    """Unsafe fixes that are left out, each with the reason.

    others  a reason to leave out any other unsafe fix; None if it is applied
    """

    reasons: Mapping[UnsafeFix, str] = field(default_factory=dict)
    others: Callable[[UnsafeFix], str | None] = lambda _: None

    def reason(self, fix: UnsafeFix) -> str | None:
        """The reason why a fix is left out; None if it is applied.

        Code moves between passes, so a late finding is left out with any of its rule in its function: more than
        needed may stay, never less.
        """
        if not fix.late:
            return self.reasons[fix] if fix in self.reasons else self.others(fix)
        found = next((reason for other, reason in self.reasons.items() if other.key == fix.key), None)
        return found if found is not None else self.others(fix)


def unsafe_fixes(findings: Iterable[Finding], overlay: Mapping[str, bytes], *, late: bool) -> dict[Finding, UnsafeFix]:
    """The findings with an unsafe fix, and what each is known by; `overlay` holds texts that are not on disk."""
    wanted = [f for f in findings if isinstance(f.fix, Fix) and f.fix.applicability is Applicability.UNSAFE]
    return {
        finding: UnsafeFix(
            finding, finding.path, entry.within, finding.code, late, () if late else (finding.start, finding.end)
        )
        for finding, entry in entries_of(wanted, Sources(overlay), Path.cwd())
        if entry is not None
    }
