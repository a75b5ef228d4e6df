"""Pictures of a report, as inline SVG: no script, no file, colours from the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_LEFT: Final = 46.0
_BOTTOM: Final = 18.0
_TOP: Final = 8.0
_MOST_SCALED: Final = 150  # columns of a chart that shrinks with the page; the text of a wider one would be too small


@dataclass(frozen=True, slots=True)
class ChartColumn:
    """One column: an interval (from 0 where `low` is left out), its class in the style, what to say of it."""

    high: float
    title: str
    kind: str
    low: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to heights above the bottom, 0 to 1, with labelled ticks."""

    place: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]


def decibels(values: Iterable[float]) -> Scale:
    """Linear, from 0 or the lowest below it to the highest, in tens; infinity stands at the end."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    top = max(10.0, 10 * math.ceil(max(finite) / 10))
    bottom = min(0.0, 10 * math.floor(min(finite) / 10))
    step = 10 * max(1, math.ceil((top - bottom) / 60))
    ticks = [(float(value), f"{value}") for value in range(int(bottom), int(top) + 1, step)]
    return Scale(lambda value: min(max((value - bottom) / (top - bottom), 0.0), 1.0), ticks)


def magnitudes(values: Iterable[float]) -> Scale:
    """Logarithmic on both sides of zero, over four decades below the largest."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0) or 1.0
    least = largest / 1e4

    def place(value: float) -> float:
        height = math.log10(1 + abs(value) / least) / math.log10(1 + largest / least)
        return 0.5 + math.copysign(min(height, 1.0), value) / 2

    decade = 10.0 ** math.floor(math.log10(largest))
    labels = [sign * decade / shrink for sign in (1, -1) for shrink in (1, 100)]
    return Scale(place, [(0.0, "0"), *((value, f"{value:g}") for value in labels)])


def columns(marks: Sequence[Sequence[ChartColumn]], names: Sequence[str], scale: Scale, height: float = 200.0) -> str:
    """One group of marks for each name, side by side, over an axis; names are shown where there is room."""
    wide = max(6.0, min(28.0, 900.0 / max(len(names), 1)))
    room = height - _BOTTOM - _TOP
    width = _LEFT + wide * len(names) + 8

    def up(value: float) -> float:
        return _TOP + room * (1 - scale.place(value))

    parts = [
        f'<line class="grid" x1="{_LEFT}" x2="{width:.0f}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>'
        f'<text class="tick" x="{_LEFT - 6}" y="{up(value) + 4:.1f}">{text}</text>'
        for value, text in scale.ticks
    ]
    for place, group in enumerate(marks):
        each = (wide - 2) / max(len(group), 1)
        for number, mark in enumerate(group):
            top, bottom = sorted((up(mark.high), up(mark.low)))
            parts.append(
                f'<rect class="{mark.kind}" x="{_LEFT + place * wide + number * each:.1f}" y="{top:.1f}" '
                f'width="{max(each - 0.5, 1):.1f}" height="{max(bottom - top, 1):.1f}"><title>{escape(mark.title)}'
                "</title></rect>"
            )
    parts.append(_numbers(len(names), wide, height))
    return _svg(width, height, parts, "long" if len(names) > _MOST_SCALED else "")


def histogram(
    counts: Sequence[int], edges: tuple[float, float], reach: tuple[float, float] | None, kind: str = "values"
) -> str:
    """Counts (logarithmic) over their range, and in another colour than that of `kind` what the integers miss."""
    width, height = 4.0 * len(counts) + 2, 64.0
    tallest = max((math.log1p(count) for count in counts), default=0.0) or 1.0
    step = (edges[1] - edges[0]) / max(len(counts), 1)
    parts = []
    for place, count in enumerate(counts):
        middle = edges[0] + (place + 0.5) * step
        lost = reach is not None and not reach[0] <= middle <= reach[1]
        tall = 46 * math.log1p(count) / tallest
        title = f"{middle:.4g}: {count:,}{', beyond the integers' if lost else ''}"
        parts.append(
            f'<rect class="{"lost" if lost else kind}" x="{4 * place + 1}" y="{48 - tall:.1f}" width="3.4" '
            f'height="{tall:.1f}"><title>{title}</title></rect>'
        )
    parts += [
        f'<text class="end" x="1" y="61">{edges[0]:.3g}</text>',
        f'<text class="tick" x="{width - 1}" y="61">{edges[1]:.3g}</text>',
    ]
    return _svg(width, height, parts)


def channels(largest: Sequence[float]) -> str:
    """The largest magnitude of each channel, relative to all: what one scale for all of them would cost."""
    top, width, height = max(largest) or 1.0, 194.0, 64.0
    each = (width - 2) / len(largest)
    parts = [
        f'<rect class="weight" x="{1 + place * each:.2f}" y="{48 - 46 * value / top:.1f}" width="{each:.2f}" '
        f'height="{46 * value / top:.1f}"><title>channel {place}: {value:.4g}</title></rect>'
        for place, value in enumerate(largest)
    ]
    parts.append(f'<text class="end" x="1" y="61">{len(largest)} channels, up to {top:.3g}</text>')
    return _svg(width, height, parts)


def _numbers(count: int, wide: float, height: float) -> str:
    step = max(1, math.ceil(24 / wide))
    return "".join(
        f'<text class="place" x="{_LEFT + (place + 0.5) * wide:.1f}" y="{height - 4}">{place + 1}</text>'
        for place in range(0, count, step)
    )


def _svg(width: float, height: float, parts: Sequence[str], kind: str = "") -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg class="{kind}" {size} role="img">{"".join(parts)}</svg>'
