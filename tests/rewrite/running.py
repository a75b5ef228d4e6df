"""`qprep fix` on the files of a folder, and what it leaves without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.results import FixResult
from qprep.engine.rule_registry import all_rules
from qprep.foundation.findings import Finding, Rejection
from qprep.tracing import TracePlace, TraceReport
from tests.equivalence import differences, observe

_REUSED = re.compile(r"`self\.([\w.]+)[^`]*` (?:has or may have parameters and )?runs ")


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Texts by name, as files under a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return sorted(folder.rglob("*.py"))


def fix(paths: list[Path], *, write: bool) -> FixResult:
    """`qprep fix` without settings."""
    return runs.fix(paths, SettingsResolver(all_rules(), Options(), isolated=True), write=write)


def fix_unharmed(text: str, folder: Path) -> FixResult:
    """Fix `model.py` with this text; asserts that it runs before, and computes the same afterwards."""
    write(folder / "before", {"model.py": text})
    result = fix(write(folder / "after", {"model.py": text}), write=True)
    before, after = observe(folder / "before"), observe(folder / "after")
    assert before.runs["eval"].tensors, before.runs["eval"].error
    assert differences(before, after) == []
    return result


def unreported(report: TraceReport, remaining: tuple[Finding, ...]) -> list[str]:
    """The operations of the trace outside of own modules that no finding reports.

    A compound module is reported where it is made, a shared instance where it is handed on. Of the places that call one
    module all but the first need one.
    """
    compounds = " ".join(finding.message for finding in remaining if finding.code == "QP401")
    events = [
        event
        for event in report.unowned
        if not (_is_covered(event.place, remaining) or (event.op.startswith("nn.") and f"`{event.op}`" in compounds))
    ]
    left = [f"{event.op} at line {event.line}" for event in events]
    is_shared = any(finding.code == "QP203" for finding in remaining)
    told = [path for finding in remaining for path in _run_again(finding)]
    for module in () if is_shared else report.reused:
        if any(module.module_path.startswith(f"{path}.") for path in told):  # in a block that runs again
            continue
        open_sites = [site for site in module.sites if not _is_covered(site, remaining)]
        if len(open_sites) >= max(len(module.sites), 1) or len(open_sites) > 1:
            left.append(f"{module.module_path} runs {module.calls} times")
    return left


def _run_again(finding: Finding) -> Iterator[str]:
    """The module that a finding says runs again: that of the method or property where one runs it."""
    match = _REUSED.match(finding.message)
    if match is not None:
        by_method = isinstance(finding.fix, Rejection) and "method or property of" in finding.fix.reason
        yield match[1].rpartition(".")[0] if by_method else match[1]


def _is_covered(place: TracePlace | None, findings: tuple[Finding, ...]) -> bool:
    return place is None or any(_covers(finding, place) for finding in findings)


def _covers(finding: Finding, place: TracePlace) -> bool:
    same_file = Path(finding.path).resolve() == Path(place.path).resolve()
    first, last = finding.statement
    return same_file and min(first, finding.start.line) <= place.lineno <= max(last, finding.end.line)
