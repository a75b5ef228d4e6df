"""Weighs the findings of one file against what runs of the models showed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from qprep.analysis.eager.eager_facts import EagerSite
from qprep.analysis.facts import ChildIteration, Facts, HeldFunction
from qprep.analysis.places import Place
from qprep.engine.runtime_evidence.observations import Claim, Verdict
from qprep.engine.runtime_evidence.run_lookup import Range, place_of, real_path
from qprep.foundation.source import SourceError, SourceFile

if TYPE_CHECKING:
    from pathlib import Path

    from qprep.analysis.sites import Site
    from qprep.engine.runtime_evidence.observations import Witness
    from qprep.foundation.findings import Finding
    from qprep.rewriting.source_code import Code


def weigh(witness: Witness, code: Code, found: Mapping[Finding, Site], facts: Facts) -> Mapping[Finding, Site | None]:
    """The findings that stay, with notes of what the runs say of them, and what only the runs saw (without a site)."""
    static = {finding: site for finding, site in found.items() if isinstance(site, EagerSite | ChildIteration)}
    claims = [Claim(f, site, held_calls(code, site, facts)) for f, site in found.items() if f not in static]
    verdicts = [(claim, witness.verdict(claim)) for claim in claims]
    kept: dict[Finding, Site | None] = {
        witness.marked(claim.finding, verdict): claim.site
        for claim, verdict in verdicts
        if verdict is not Verdict.REFUTED
    }
    compounds = {cls.rpartition(".")[2] for compound in facts.compounds.values() for cls in compound.classes}
    return {**kept, **static, **dict.fromkeys(witness.added(code, claims, compounds))}


def held_calls(code: Code, site: Site, facts: Facts) -> tuple[Range, ...]:
    """The calls of a held function, as far as they are in the file that holds it."""
    if not isinstance(site, HeldFunction):
        return ()
    calls = [call.place for call in facts.calls.values() if str(call.path) == site.attribute]
    return tuple(_range(code.source, place) for place in calls if place.module == code.module)


def proven(witness: Witness | None, files: Mapping[str, Path], read: Callable[[Path], SourceFile]) -> frozenset[Place]:
    """The places at which runs saw operations that no module owns; `files` by module name."""
    if witness is None:
        return frozenset()
    return frozenset(place for module, path in files.items() for place in _proven(witness, module, path, read))


def _proven(witness: Witness, module: str, path: Path, read: Callable[[Path], SourceFile]) -> Iterator[Place]:
    ranges = witness.runs.unowned.get(real_path(str(path)))
    if not ranges:
        return
    try:
        source = read(path)
    except SourceError:
        return
    for where in ranges:
        if 0 < where.line <= where.end_line <= len(source.starts):
            yield place_of(source, module, where)


def _range(source: SourceFile, place: Place) -> Range:
    start = source.position(source.offset(place.line, place.column))
    end = source.position(source.offset(place.end_line, place.end_column))
    return Range(start.line, start.column, end.line, end.column)
