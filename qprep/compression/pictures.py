"""Lines over steps, and bars along them, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

_WIDTH: Final = 760.0
_HEIGHT: Final = 220.0
_LEFT: Final = 56.0
_RIGHT: Final = 12.0
_TOP: Final = 8.0
_BOTTOM: Final = 24.0
_COLOURS: Final = ("#2f6fb0", "#c27b17", "#3f8f4f", "#a0417a", "#6f6f9f", "#b0553a", "#2c8c8c", "#8a7d2a")
_MOST: Final = 8  # series with names beside them

_ROW: Final = 20.0  # height of a bar with the space around it
_NAMES: Final = 200.0  # width of the names before bars

Points = Sequence[tuple[float, float]]
Spans = Sequence[tuple[float, float]]  # first and end


def lines(series: Mapping[str, Points]) -> str:
    """One line for each series of (x, y), over common axes; names show where the pointer is."""
    finite = {name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in series.items()}
    drawn = {name: points for name, points in finite.items() if points}
    if not drawn:
        return f'<svg viewBox="0 0 {_WIDTH:.0f} 30" width="{_WIDTH:.0f}" height="30" role="img"></svg>'
    xs = [x for points in drawn.values() for x, _ in points]
    ys = [y for points in drawn.values() for _, y in points]
    low_x, high_x, low_y, high_y = min(xs), max(xs), min(0.0, *ys), max(ys)
    wide, tall = (high_x - low_x) or 1.0, (high_y - low_y) or 1.0

    def place(x: float, y: float) -> str:
        across = _LEFT + (x - low_x) / wide * (_WIDTH - _LEFT - _RIGHT)
        down = _TOP + (1 - (y - low_y) / tall) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f},{down:.1f}"

    parts = [_grid(low_y, low_y + tall, place, low_x, low_x + wide)]
    for number, (name, points) in enumerate(drawn.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(place(x, y) for x, y in points)
        last = points[-1]
        title = f"<title>{escape(name)}: {last[1]:.4g} at {last[0]:g}</title>"
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5">{title}</polyline>')
        if len(points) == 1:
            across, down = path.split(",")
            parts.append(f'<circle cx="{across}" cy="{down}" r="2.5" fill="{colour}">{title}</circle>')
    svg = (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" role="img">'
        f"{''.join(parts)}</svg>"
    )
    return svg + _keys(list(drawn))


def bars(rows: Sequence[tuple[str, Spans]]) -> str:
    """One row for each name, with a bar for each span, over a common axis."""
    ends = [end for _, spans in rows for _, end in spans]
    if not ends:
        return ""
    low, high = min(start for _, spans in rows for start, _ in spans), max(ends)

    def across(value: float) -> float:
        return _NAMES + (value - low) / (high - low) * (_WIDTH - _NAMES - _RIGHT)

    parts = []
    for number, (name, spans) in enumerate(rows):
        down = _TOP + number * _ROW
        parts.append(f'<text class="tick" x="0" y="{down + 12:.1f}" font-size="11">{escape(name)}</text>')
        for start, end in spans:
            title = f"<title>{escape(name)}: {start:g} to {end:g}</title>"
            parts.append(
                f'<rect class="bar" x="{across(start):.1f}" y="{down:.1f}" width="{across(end) - across(start):.1f}" '
                f'height="{_ROW - 5:.0f}" fill="{_COLOURS[number % len(_COLOURS)]}">{title}</rect>'
            )
    height = _TOP + len(rows) * _ROW + _BOTTOM
    parts += [
        f'<text class="place" x="{across(value):.1f}" y="{height - 8:.1f}" text-anchor="middle" font-size="10">'
        f"{value:g}</text>"
        for value in (low, high)
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" width="{_WIDTH:.0f}" height="{height:.0f}" role="img">'
        f"{''.join(parts)}</svg>"
    )


def _grid(low: float, high: float, place: object, first: float, last: float) -> str:
    assert callable(place)  # noqa: S101
    found = []
    for step in range(5):
        value = low + (high - low) * step / 4
        left, down = place(first, value).split(",")
        right = place(last, value).split(",")[0]
        found.append(
            f'<line class="grid" x1="{left}" x2="{right}" y1="{down}" y2="{down}" stroke="#dde3e9"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{float(down) + 4:.1f}" text-anchor="end" font-size="10">'
            f"{value:.3g}</text>"
        )
    for value in (first, last):
        across, _ = place(value, low).split(",")
        found.append(
            f'<text class="place" x="{across}" y="{_HEIGHT - 6}" text-anchor="middle" font-size="10">{value:g}</text>'
        )
    return "".join(found)


def _keys(names: Sequence[str]) -> str:
    shown = "".join(
        f'<span style="color:{_COLOURS[place % len(_COLOURS)]};margin-right:1em">— {escape(name)}</span>'
        for place, name in enumerate(names[:_MOST])
    )
    more = f"and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f'<div style="font-size:.85em">{shown}{more}</div>'
