"""Constructs that break preparation tools, each as a small model: rewritten or declined, never silently wrong."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from qprep.foundation.findings import Finding, Fix, Rejection
from tests.equivalence import differences, observe, residue
from tests.rewrite import traps
from tests.rewrite.cases import Case, Outcome
from tests.rewrite.running import fix, unreported, write


def _cases() -> Iterator[tuple[int, Case]]:
    for info in pkgutil.iter_modules(traps.__path__):
        cases: dict[int, tuple[Case, ...]] = importlib.import_module(f"{traps.__name__}.{info.name}").CASES
        for item, group in cases.items():
            yield from ((item, case) for case in group)


ALL = sorted(_cases(), key=lambda pair: pair[0])


# Cases that do not hold yet, each with what is missing; strict, so that none stays here longer than it is true.
KNOWN = {
    "14-decorated-afterwards": "a function that a call of a decorator gave another value is not followed",
}


def _parameter(item: int, case: Case) -> ParameterSet:
    name = f"{item}-{case.name}"
    marks = [pytest.mark.xfail(strict=True, reason=KNOWN[name])] if name in KNOWN else []
    return pytest.param(case, id=name, marks=marks)


def _is_explained(finding: Finding) -> bool:
    """True if a finding that stays has a reason, or an unsafe fix that names the line that causes it."""
    if isinstance(finding.fix, Rejection):
        return True
    return isinstance(finding.fix, Fix) and any(note.startswith("not proven: ") for note in finding.notes)


@pytest.mark.parametrize("case", [_parameter(item, case) for item, case in ALL])
def test_trap(case: Case, tmp_path: Path) -> None:
    write(tmp_path / "before", case.files)
    paths = write(tmp_path / "after", case.files)
    result = fix(paths, write=True)
    assert result.reverted == ()
    before, after = observe(tmp_path / "before"), observe(tmp_path / "after")
    assert before.runs["eval"].tensors, before.runs["eval"].error
    assert differences(before, after) == []
    assert fix(paths, write=False).changed == ()
    report = residue(after)
    assert all(_is_explained(f) for f in result.remaining if not f.code.startswith("QP0"))
    assert unreported(report, result.remaining) == []
    open_ones = [finding for finding in result.remaining if finding.stands_in_the_way]
    reasons = [finding.fix.reason for finding in open_ones if isinstance(finding.fix, Rejection)]
    unproven = [finding for finding in open_ones if isinstance(finding.fix, Fix)]
    if case.outcome is Outcome.DECLINED:
        assert unproven or any(case.reason in reason for reason in reasons), reasons
    else:
        assert reasons == []
        assert unproven == []
        assert report.is_prepared
        assert bool(result.changed) == (case.outcome is Outcome.PREPARED)


def test_every_item_of_the_list_has_cases() -> None:
    assert {item for item, _ in ALL} == set(range(1, 21))


def test_names_are_unique() -> None:
    names = [(item, case.name) for item, case in ALL]
    assert len(set(names)) == len(names)


def test_known_failures_are_cases() -> None:
    assert set(KNOWN) <= {f"{item}-{case.name}" for item, case in ALL}
