"""Errors of the quantizer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from qprep.foundation.errors import QprepError
from qprep.tracing.trace_report import TraceReport


class NotPreparedError(QprepError):
    """A model with operations without a module of their own; `report` is the trace that found them."""

    def __init__(self, report: TraceReport) -> None:
        self.report = report
        super().__init__(_sentence(report))


def unprepared(report: TraceReport) -> list[str]:
    """One line for each operation without a module and each module that runs twice, with file and line."""
    found = [
        f"{_place(event.path, event.line)}{event.op} in {event.module_path or 'the model'} ({event.module_class})"
        for event in report.unowned
    ]
    for reused in report.reused:
        site = reused.sites[0] if reused.sites else None
        where = _place(site.path, site.line) if site else ""
        found.append(f"{where}{reused.module_path} ({reused.module_class}) runs {reused.calls} times")
    return found


def without_insides(report: TraceReport, model: nn.Module, units: tuple[type[nn.Module], ...]) -> TraceReport:
    """The report without what happens inside modules of the classes `units`, which are one operation each."""
    inside = tuple(path for path, module in model.named_modules() if units and isinstance(module, units))

    def is_seen(path: str) -> bool:
        return not any(not unit or f"{path}.".startswith(f"{unit}.") for unit in inside)

    return replace(
        report,
        events=tuple(event for event in report.events if is_seen(event.module_path)),
        reused=tuple(each for each in report.reused if each.module_path in inside or is_seen(each.module_path)),
    )


def _place(path: str | None, line: int) -> str:
    return f"{path}:{line}: " if path is not None else ""


def _sentence(report: TraceReport) -> str:
    lines = unprepared(report)
    files = {event.path for event in report.unowned if event.path is not None}
    files |= {site.path for reused in report.reused for site in reused.sites}
    written = [each for each in sorted(files) if Path(each).is_file()]  # generated code and notebooks have no file
    command = f"run `qprep fix {' '.join(written)}`" if written else "run `qprep fix`"
    if files and not written:
        command += " on the source of the model"
    if any(event.op.startswith("nn.") for event in report.unowned):
        command += ", convert the model (`qprep.runtime_modules.convert_compound`)"
    whose = "its own" if len(lines) == 1 else "their own"
    listed = "".join(f"\n  {line}" for line in lines)
    return (
        f"expected a prepared model, found {_counted(len(lines))} without a module of {whose}:{listed}\n"
        f"{command}, or pass allow_unprepared=True to leave them in float"
    )


def _counted(number: int) -> str:
    return "1 operation" if number == 1 else f"{number} operations"
