"""Constructs that break preparation tools, each as a small model: rewritten or declined, never silently wrong."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from qprep import engine
from qprep.config import SettingsResolver
from qprep.config_file import Options
from qprep.findings import Finding, Unfixable
from qprep.registry import all_rules
from qprep.results import FixResult
from qprep.trace import Place, TraceReport
from tests.equivalence import differences, observe, residue
from tests.rewrite import traps
from tests.rewrite.cases import Case, Outcome


def _cases() -> Iterator[tuple[int, Case]]:
    for info in pkgutil.iter_modules(traps.__path__):
        cases: dict[int, tuple[Case, ...]] = importlib.import_module(f"{traps.__name__}.{info.name}").CASES
        for item, group in cases.items():
            yield from ((item, case) for case in group)


ALL = sorted(_cases(), key=lambda pair: pair[0])


def write(folder: Path, case: Case) -> list[Path]:
    """A case's files under a folder."""
    for name, text in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return sorted(folder.rglob("*.py"))


def fix(paths: list[Path], *, write: bool) -> FixResult:
    """`qprep fix` without settings."""
    return engine.fix(paths, SettingsResolver(all_rules(), Options(), isolated=True), write=write)


def unreported(report: TraceReport, remaining: tuple[Finding, ...]) -> list[str]:
    """What the trace saw outside modules of its own, and no finding stands for."""
    left = [(f"{event.op} at line {event.line}", event.place) for event in report.unowned]
    left += [
        (f"{each.module_path} runs {each.calls} times", p) for each in report.reused for p in each.sites or (None,)
    ]
    return [text for text, place in left if not any(_covers(finding, place) for finding in remaining)]


def _covers(finding: Finding, place: Place | None) -> bool:
    if place is None:
        return True
    same_file = Path(finding.path).resolve() == Path(place.path).resolve()
    first, last = finding.statement
    return same_file and min(first, finding.start.line) <= place.lineno <= max(last, finding.end.line)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{item}-{case.name}") for item, case in ALL])
def test_trap(case: Case, tmp_path: Path) -> None:
    write(tmp_path / "before", case)
    paths = write(tmp_path / "after", case)
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
