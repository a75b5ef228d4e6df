"""Judges static findings by what runs of the models showed, and adds what only the runs saw."""

from __future__ import annotations

import enum
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.analysis.facts import (
    Compound,
    HeldFunction,
    ModuleCall,
    OpSite,
    ScriptedCall,
    Sharing,
    TiedParameter,
    UnregisteredLayers,
)
from qprep.analysis.sites import Site
from qprep.engine.runtime_evidence.run_lookup import (
    Range,
    Reuse,
    Run,
    Runs,
    UnownedOperation,
    place_of,
    range_of,
    real_path,
)
from qprep.engine.runtime_evidence.run_rules import TRACED_OPERATION, TRACED_REUSE
from qprep.foundation.findings import Finding, Position, Rejection, RejectionCode, Rule

if TYPE_CHECKING:
    from qprep.rewriting.source_code import Code
    from qprep.tracing.trace_values import ModuleRun

ANY_ITEM, ITEM = re.escape("[*]"), r"\.[^.]+"
_ONLY_RUN = Rejection("only a run of the model shows it; the source does not determine it", RejectionCode.RUN_ONLY)


class Verdict(enum.Enum):
    """The verdict of the runs on a finding."""

    CONFIRMED = "confirmed"
    NOT_RUN = "not run"
    REFUTED = "refuted"


@dataclass(frozen=True, slots=True)
class Claim:
    """A static finding, the fact behind it, and for a held function the ranges where it is called."""

    finding: Finding
    site: Site
    calls: tuple[Range, ...] = ()


class Witness:
    """Observations of the runs, queried file by file."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = Runs(runs)
        self._reused = {each.module.module_class for all_ in self.runs.reuses() for each in all_}
        self._around = _around(self.runs)
        self._repeats: set[str] = set()
        self._shared: set[str] = set()
        self._compounds = {each.compound for all_ in self.runs.operations() for each in all_}

    def verdict(self, claim: Claim) -> Verdict:
        """True if what a finding says happened, did not happen where it could, or was never reached."""
        path, where = real_path(claim.finding.path), range_of(claim.finding)
        if self._happened(path, where, claim):
            return Verdict.CONFIRMED
        return Verdict.REFUTED if self._was_reached(path, where, claim) else Verdict.NOT_RUN

    def marked(self, finding: Finding, verdict: Verdict) -> Finding:
        """The finding with what the runs say of it as a note."""
        targets = ", ".join(self.runs.targets)
        confirmed = verdict is Verdict.CONFIRMED
        note = f"confirmed by the run of {targets}" if confirmed else f"not run by {targets}"
        return replace(finding, notes=(*finding.notes, note))

    def hear(self, sites: Iterable[Site]) -> None:
        """Take note of what is reported in all files: it may explain what runs again in another one."""
        found = list(sites)
        self._repeats = {path for site in found if isinstance(site, ModuleCall) for path in self._repeated(site)}
        self._shared = {_last(name) for site in found if isinstance(site, Sharing) for name in site.classes}

    def added(self, code: Code, claims: Sequence[Claim], compounds: Container[str]) -> Iterator[Finding]:
        """Observations in a file that belong to no finding; `compounds` are classes reported at their construction."""
        path = real_path(code.source.path)
        claimed = {where for claim in claims for where in self._claimed(path, claim)}
        for where, seen in self.runs.unowned.get(path, {}).items():
            new = [each for each in seen if not each.compound or each.compound not in compounds]
            if where not in claimed and new:
                yield _operation(code, where, new)
        told = {range_of(claim.finding) for claim in claims if isinstance(claim.site, ModuleCall)}
        yield from self._reuse(code, path, told)

    def _happened(self, path: str, where: Range, claim: Claim) -> bool:
        site = claim.site
        if isinstance(site, Compound):
            return any(_last(cls) in self._compounds for cls in site.classes)
        if isinstance(site, Sharing):
            return any(_last(name) in self._reused for name in site.classes)
        if isinstance(site, TiedParameter | UnregisteredLayers):
            return self.runs.did_build(path, where)
        if isinstance(site, ScriptedCall):
            return self.runs.did_run(path, where)
        if isinstance(site, ModuleCall):
            again = where in self.runs.reused.get(path, {})
            return again or (self.runs.did_run(path, where) and bool(self._repeated(site)))
        return bool(self._claimed(path, claim))

    def _was_reached(self, path: str, where: Range, claim: Claim) -> bool:
        if isinstance(claim.site, Compound | TiedParameter | UnregisteredLayers):  # being made is not being run
            return False
        if isinstance(claim.site, Sharing):
            return self.runs.did_build(path, where)
        reached = claim.calls if isinstance(claim.site, HeldFunction) else (where,)
        return any(self.runs.did_run(path, each) for each in reached)

    def _repeated(self, site: ModuleCall) -> list[str]:
        """The paths of modules with children that run again, and leaf modules in them with them, as a call says."""
        names = {_last(name) for name in site.classes}
        pattern = re.compile(rf"(?:.*\.)?{re.escape(str(site.path)).replace(ANY_ITEM, ITEM)}")
        return [
            path
            for path, module in self._around.items()
            if pattern.fullmatch(path) and (module is None or "?" in names or module.module_class in names)
        ]

    def _claimed(self, path: str, claim: Claim) -> list[Range]:
        """The ranges of the unowned operations that a finding is about."""
        unowned = self.runs.unowned.get(path, {})
        where, site = range_of(claim.finding), claim.site
        if isinstance(site, HeldFunction):
            return [call for call in claim.calls if call in unowned]
        if isinstance(site, OpSite) and where not in unowned and site.form == "value":
            # handed to map or reduce, whose call is what runs it
            return [outer for outer in unowned if outer.contains(where)]
        return [where] if isinstance(site, OpSite) and where in unowned else []

    def _reuse(self, code: Code, path: str, told: set[Range]) -> Iterator[Finding]:
        """Modules that run again: each at the last of its places that lie in the file."""
        places: dict[tuple[str, str], list[Range]] = {}
        modules: dict[tuple[str, str], Reuse] = {}
        for where, seen in sorted(self.runs.reused.get(path, {}).items()):
            for each in seen:
                places.setdefault((each.target, each.module_path), []).append(where)
                modules[each.target, each.module_path] = each
        found: dict[Range, list[Reuse]] = {}
        for key, each in modules.items():
            if told.isdisjoint(places[key]) and not self._is_told_elsewhere(each):
                found.setdefault(places[key][-1], []).append(each)
        for where, group in found.items():
            message = f"one module instance, {named(group)}, runs more than once in a forward pass"
            yield _finding(TRACED_REUSE, code, where, message, group)

    def _is_told_elsewhere(self, reuse: Reuse) -> bool:
        paths = (reuse.module_path, *reuse.module.aliases)
        return reuse.module_class in self._shared or any(
            path.startswith(f"{around}.") for path in paths for around in self._repeats
        )


def _around(runs: Runs) -> dict[str, ModuleRun | None]:
    """The modules around those that run again, as far as they do too; None under a second path of a module."""
    modules = {module.path: module for module in runs.modules}
    found: dict[str, ModuleRun | None] = {}
    for path in {path for all_ in runs.reuses() for each in all_ for path in (each.module_path, *each.module.aliases)}:
        while path := path.rpartition(".")[0]:
            module = modules.get(path)
            if module is None or module.calls > 1:
                found[path] = module
    return found


def _operation(code: Code, where: Range, seen: Sequence[UnownedOperation]) -> Finding:
    message = f"`{seen[0].event.op}` runs here outside of a dedicated module, in {named(seen)}"
    return _finding(TRACED_OPERATION, code, where, message, seen)


def _finding(rule: Rule, code: Code, where: Range, message: str, seen: Sequence[UnownedOperation | Reuse]) -> Finding:
    return Finding(
        rule.code,
        rule.name,
        message,
        "give each place its own module",
        code.source.path,
        Position(where.line, where.column),
        Position(where.end_line, where.end_column),
        _statement(code, where),
        rule.severity,
        _ONLY_RUN,
        (f"seen by the run of {', '.join(dict.fromkeys(each.target for each in seen))}",),
    )


def _statement(code: Code, where: Range) -> tuple[int, int]:
    """The lines of the logical statement: of a compound one, only as far as the expression goes."""
    node = code.node(place_of(code.source, code.module, where))
    if node is None:
        return where.line, where.end_line
    statement = code.statement(node)
    end = where.end_line if hasattr(statement, "body") else statement.end_lineno
    return statement.lineno, end or where.end_line


def named(seen: Sequence[UnownedOperation | Reuse]) -> str:
    """The module that did it: the first module by path and class, and how many more there are."""
    paths = list(dict.fromkeys(each.module_path for each in seen))
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    shown = f"`{paths[0]}`" if paths[0] else "the model itself"
    return f"{shown}{more} ({seen[0].module_class})"


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]
