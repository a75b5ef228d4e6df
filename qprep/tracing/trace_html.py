"""A trace report as HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from qprep.tracing.trace_text import reused, rows, summary
from qprep.tracing.trace_values import TraceData


def as_html(report: TraceData) -> str:
    """The summary and a table of the unowned operations; a list of the reused modules."""
    cells = [(row.place, row.op, row.modules, row.result) for row in rows(report.unowned)]
    parts = [f"<p>{escape(summary(report))}</p>"]
    if cells:
        head = _row(("place", "operation", "module", "result"), "th")
        parts.append(f"<table><thead>{head}</thead><tbody>{''.join(_row(row, 'td') for row in cells)}</tbody></table>")
    if report.reused:
        parts.append(f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in reused(report.reused))}</ul>")
    return "".join(parts)


def _row(cells: Iterable[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
