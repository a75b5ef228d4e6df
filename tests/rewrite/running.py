"""`qprep fix` on the files of a folder, and what it leaves without a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qprep import engine
from qprep.config import SettingsResolver
from qprep.config_file import Options
from qprep.findings import Finding
from qprep.registry import all_rules
from qprep.results import FixResult
from qprep.trace import Place, TraceReport


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Texts by name, as files under a folder."""
    for name, text in files.items():
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
