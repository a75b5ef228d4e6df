"""A trace report as plain text."""

from __future__ import annotations

from qprep.trace.report import OpEvent, ReusedModule, TraceReport


def as_text(report: TraceReport) -> str:
    """The summary, then one line for each unowned operation, reused module and module that never ran."""
    lines = [summary(report)]
    lines += [f"  {where(event)}  {event.op}  {issuer(event)}  {shape(event)}" for event in report.unowned]
    lines += [f"  {reused(module)}" for module in report.reused]
    lines += [f"  {path or 'the model'} never ran" for path in report.never_run]
    return "\n".join(lines)


def summary(report: TraceReport) -> str:
    """One line of totals, in calls."""
    totals = report.totals
    verdict = "prepared" if report.is_prepared else "not prepared"
    return (
        f"{report.model_class}: {verdict}; {totals.operations} operations ({totals.owned} owned, "
        f"{totals.unowned} unowned), {totals.reused} of {totals.modules} modules reused, {totals.never_run} never run"
    )


def where(event: OpEvent) -> str:
    """path:line:column, or what stands for it."""
    return f"{event.path}:{event.line}:{event.column}" if event.path else "(inside torch)"


def issuer(event: OpEvent) -> str:
    """The module that issued it and its class."""
    return f"{event.module_path or '(model)'} ({event.module_class})"


def shape(event: OpEvent) -> str:
    """dtype, shapes of the results, number of calls: "float32 1x64x56x56 ×2"."""
    sizes = ", ".join("x".join(map(str, each)) or "scalar" for each in event.shapes)
    return f"{event.dtype} {sizes} ×{event.calls}"


def reused(module: ReusedModule) -> str:
    """One sentence on a module that ran more than once."""
    name = ", ".join((module.module_path, *module.aliases))
    places = ", ".join(f"{site.path}:{site.line}:{site.column}" for site in module.sites)
    return f"{name} ({module.module_class}) ran {module.calls} times" + (f": {places}" if places else "")
