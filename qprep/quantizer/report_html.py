"""The report as one page that loads nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from qprep.quantizer.report import QuantizationReport, SlotReport

_STYLE: Final = (
    "body{font:14px system-ui,sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse}"
    "td,th{padding:.25em .7em;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}"
    "svg{background:#fafafa;border:1px solid #ddd}rect{fill:#3a6ea5}rect.weight{fill:#c47f17}line{stroke:#c0392b}"
)


def as_html(report: QuantizationReport) -> str:
    """The table and three pictures: SNR by depth, sensitivity, ranges; a histogram in each row."""
    name = escape(report.model_class)
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    widest = ", ".join(escape(slot.name) for slot in report.first_to_widen)
    header = "".join(
        f"<th>{title}</th>"
        for title in ("slot", "kind", "format", "low", "high", "clipped", "SNR dB", "alone dB", "bytes", "values")
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}, quantized</title><style>{_STYLE}</style>'
        f"<h1>{name}</h1><p>{report.output_snr:.1f} dB at the output; {report.size:,.0f} bytes of parameters, "
        f"{report.float_size:,.0f} in float. Give more bits first: {widest}.</p>"
        f"<h2>Signal-to-noise ratio by depth (dB)</h2>{_bars(report.slots, [slot.snr for slot in report.slots])}"
        "<h2>Output when this slot alone is quantized (dB)</h2>"
        f"{_bars(report.slots, [slot.sensitivity for slot in report.slots])}"
        f"<h2>Ranges</h2>{_ranges(report.slots)}"
        f"<h2>Slots</h2><table><tr>{header}</tr>{''.join(map(_row, report.slots))}</table>"
        f"<h2>In float</h2><ul>{notes or '<li>nothing that was asked for</li>'}</ul></html>\n"
    )


def _row(slot: SlotReport) -> str:
    kind = slot.scheme if slot.bits is None else f"{slot.bits} bit {slot.scheme}"
    cells = [escape(slot.name), slot.kind, kind, f"{slot.low:.4g}", f"{slot.high:.4g}", f"{slot.clipped:.3%}"]
    cells += [f"{slot.snr:.1f}", f"{slot.sensitivity:.1f}", f"{slot.size:,.0f}", _histogram(slot.histogram)]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _histogram(counts: Sequence[int]) -> str:
    tallest = max((math.log1p(count) for count in counts), default=0.0) or 1.0
    heights = [22 * math.log1p(count) / tallest for count in counts]
    bars = "".join(f'<rect x="{3 * i}" y="{22 - h:.1f}" width="2" height="{h:.1f}"/>' for i, h in enumerate(heights))
    return f'<svg width="{3 * len(heights)}" height="22">{bars}</svg>'


def _bars(slots: Iterable[SlotReport], values: Sequence[float]) -> str:
    """One bar for each slot; above 80 dB, and without noise, they are cut."""
    bars = []
    for place, (slot, value) in enumerate(zip(slots, values, strict=True)):
        height = 0.0 if math.isnan(value) else 2 * min(max(value, 0.0), 80.0)
        title = f"<title>{escape(slot.name)}: {value:.1f} dB</title>"
        bars.append(
            f'<rect class="{slot.kind}" x="{8 * place}" y="{160 - height:.1f}" width="6" height="{height:.1f}">'
            f"{title}</rect>"
        )
    return f'<svg width="{8 * len(bars)}" height="160">{"".join(bars)}</svg>'


def _ranges(slots: Sequence[SlotReport]) -> str:
    """One upright line for each slot on a logarithmic scale of magnitude around zero."""
    lines = []
    for place, slot in enumerate(slots):
        low, high = _height(slot.low), _height(slot.high)
        title = f"<title>{escape(slot.name)}: {slot.low:.4g} to {slot.high:.4g}</title>"
        lines.append(
            f'<rect class="{slot.kind}" x="{8 * place}" y="{80 - high:.1f}" width="6" '
            f'height="{max(high - low, 1):.1f}">{title}</rect>'
        )
    width = 8 * len(lines)
    zero = f'<line x1="0" y1="80" x2="{width}" y2="80"/>'
    return f'<svg width="{width}" height="160">{"".join(lines)}{zero}</svg>'


def _height(value: float) -> float:
    if not math.isfinite(value):
        return 0.0
    return math.copysign(min(20 * math.log10(1 + 100 * abs(value)), 80.0), value)
