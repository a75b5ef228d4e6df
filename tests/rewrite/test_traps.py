"""Constructs that break preparation tools, each as a small model: rewritten or declined, never silently wrong."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from qprep.findings import Unfixable
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


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{item}-{case.name}") for item, case in ALL])
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
    assert all(isinstance(f.fix, Unfixable) for f in result.remaining if not f.code.startswith("QP0"))
    assert unreported(report, result.remaining) == []
    reasons = [finding.fix.reason for finding in result.remaining if isinstance(finding.fix, Unfixable)]
    if case.outcome is Outcome.DECLINED:
        assert any(case.reason in reason for reason in reasons), reasons
    else:
        assert reasons == []
        assert report.is_prepared
        assert bool(result.changed) == (case.outcome is Outcome.PREPARED)


def test_every_item_of_the_list_has_cases() -> None:
    assert {item for item, _ in ALL} == set(range(1, 21))


def test_names_are_unique() -> None:
    names = [(item, case.name) for item, case in ALL]
    assert len(set(names)) == len(names)
