"""A trace report for a terminal: tables of operations and modules, and the tree of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from qprep.tracing.trace_report import TraceReport
from qprep.tracing.trace_text import reused, rows, summary
from qprep.tracing.trace_values import OpEvent


def as_table(report: TraceReport, every: bool = False) -> Group:
    """The unowned operations (or `every` one), the reused modules, those that never ran, and the totals."""
    parts: list[RenderableType] = []
    events = report.events if every else report.unowned
    if events:
        parts.append(_operations(events, every))
    if report.reused:
        parts.append(_titled("Leaf modules that ran more than once", reused(report.reused)))
    if report.never_run:
        parts.append(_titled("Modules that never ran", report.never_run))
    return Group(*parts, Text(summary(report)))


def as_tree(report: TraceReport) -> Tree:
    """The modules of the model, each with the unowned operations (calls) in it and below it."""
    own: Counter[str] = Counter()
    for event in report.unowned:
        own[event.module_path] += event.calls
    below = _below(own)
    nodes: dict[str, Tree] = {}
    root = Tree(_label(report.model_class, below[""], own[""]))
    for module in report.modules:
        if not module.path:
            continue
        parent, _, name = module.path.rpartition(".")
        label = _label(f"{name}: {module.module_class}", below[module.path], own[module.path])
        nodes[module.path] = nodes.get(parent, root).add(label)
    return root


def _operations(events: Iterable[OpEvent], every: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("place", "operation", "module", "result", *(("owned",) if every else ())):
        table.add_column(name, overflow="fold")
    for row in rows(events):
        cells = [row.place, row.op, row.modules, row.result]
        table.add_row(*map(Text, [*cells, "yes" if row.owned else "no"] if every else cells))
    return table


def _titled(title: str, lines: Iterable[str]) -> Group:
    return Group(Text(), Text(title, style="bold"), *(Text(f"  {line}") for line in lines))


def _below(own: Counter[str]) -> Counter[str]:
    """For each path the operations of the module and of all modules in it."""
    totals: Counter[str] = Counter()
    for path, count in own.items():
        parts = path.split(".") if path else []
        for depth in range(len(parts) + 1):
            totals[".".join(parts[:depth])] += count
    return totals


def _label(name: str, below: int, own: int) -> Text:
    label = Text(name)
    if below:
        label.append(f"  {below} unowned" + (f", {own} its own" if own and own != below else ""), style="yellow")
    return label
