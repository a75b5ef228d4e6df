"""The module graph as a picture: one row for each operation, lines for tensors, coloured and labelled by their bits.

Operations stand below each other in the order in which they run. A tensor goes straight down to the next row; one that
is read further away runs in a lane to the right of the boxes. The picture has its own style, for light and dark pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Final

from qprep.foundation.atomic_write import save
from qprep.quantizer.graph.quantization_graph import Graph
from qprep.quantizer.report.graph_view import Box, BoxKind, GraphView, Link, view_of

_LEFT: Final = 8
_WIDE: Final = 300
_TALL: Final = 34
_PITCH: Final = 58
_TOP: Final = 34
_LABEL: Final = 52  # room for the format of a tensor that leaves to the right
_LANE: Final = 12
_LETTERS: Final = 42
_STYLE: Final = """
.qgraph{--ink:#1c2733;--dim:#66727f;--line:#b9c3cd;--card:#f5f7f9;--paper:#fff;--b4:#c27b17;--b8:#2f6fb0;--b16:#2f7d4f}
@media(prefers-color-scheme:dark){.qgraph{--ink:#e3e8ed;--dim:#93a0ad;--line:#4b5763;--card:#1e262e;--paper:#151b21;
--b4:#e0a24a;--b8:#6aa9e6;--b16:#63c089}}
.qgraph text{font:12px system-ui,sans-serif;fill:var(--ink)}.qgraph .dim{font-size:11px;fill:var(--dim)}
.qgraph .box{fill:var(--card);stroke:var(--line)}.qgraph .end{rx:17px}.qgraph .out{stroke-dasharray:4 3}
.qgraph path{fill:none;stroke-width:2}.qgraph .few{stroke:var(--b4)}.qgraph .eight{stroke:var(--b8)}
.qgraph .many{stroke:var(--b16)}.qgraph .none{stroke:var(--dim);stroke-dasharray:3 3}
.qgraph .head{stroke:none;stroke-dasharray:none}.qgraph .head.few{fill:var(--b4)}.qgraph .head.eight{fill:var(--b8)}
.qgraph .head.many{fill:var(--b16)}.qgraph .head.none{fill:var(--dim)}.qgraph .back{fill:var(--paper)}
""".replace("\n", "")
_LEGEND: Final = (("few", "below 8 bits"), ("eight", "8 bits"), ("many", "above 8 bits"), ("none", "float"))


def graph_svg(graph: Graph, path: str | Path | None = None) -> str:
    """Return the picture of a quantizer's graph (`q.graph` after `prepare_model`) as an SVG document.

    path  a file to write it to as well; QprepError if that is not possible
    """
    picture = draw(view_of(graph))
    if path is not None:
        save(Path(path), picture.encode(), "picture")
    return picture


def draw(view: GraphView) -> str:
    """The picture of a view; its width grows with the number of lanes, its height with the number of boxes."""
    lanes = _lanes(view.links)
    width = max(_LEFT + _WIDE + _LABEL + _LANE * (1 + max(lanes.values(), default=0)) + 8, 430)
    height = _TOP + _PITCH * len(view.boxes) - (_PITCH - _TALL) + 8
    entries = _entries(view.links)
    links = "".join(_link(link, lanes.get(link), entries) for link in view.links)
    boxes = "".join(_boxes(view.boxes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="qgraph" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"><title>Module graph with the bits of each tensor</title>'
        f'<style>{_STYLE}</style><rect class="back" width="{width}" height="{height}"/>{_legend()}{links}{boxes}</svg>'
    )


def _lanes(links: tuple[Link, ...]) -> dict[Link, int]:
    """The lane of each link that is read beyond the next row: the lowest one that is free over its whole length."""
    found: dict[Link, int] = {}
    taken: list[list[tuple[int, int]]] = []
    for link in sorted(links, key=_length):
        if not _far(link):
            continue
        start, end = _span(link)
        lane = next(
            (number for number, spans in enumerate(taken) if all(end < low or high < start for low, high in spans)),
            len(taken),
        )
        if lane == len(taken):
            taken.append([])
        taken[lane].append((start, end))
        found[link] = lane
    return found


def _far(link: Link) -> tuple[int, ...]:
    return tuple(target for target in link.targets if target != link.source + 1)


def _span(link: Link) -> tuple[int, int]:
    rows = (link.source, *_far(link))
    return min(rows), max(rows)


def _length(link: Link) -> tuple[int, int]:
    start, end = _span(link)
    return end - start, start


def _entries(links: tuple[Link, ...]) -> dict[tuple[int, int], int]:
    """The height at which a tensor from a source enters a target from the right; arrows do not cover each other."""
    counts: Counter[int] = Counter()
    found = {}
    for link in links:
        for target in _far(link):
            found[link.source, target] = _row(target) + 5 + 7 * (counts[target] % 3)
            counts[target] += 1
    return found


def _link(link: Link, lane: int | None, entries: Mapping[tuple[int, int], int]) -> str:
    kind, top = _class(link), _row(link.source)
    parts = []
    if link.source + 1 in link.targets:
        x, start, end = _LEFT + 24, top + _TALL, _row(link.source + 1)
        parts.append(f'<path class="{kind}" d="M{x} {start}V{end - 5}"/>{_head(x, end, "down", kind)}')
        parts.append(f'<text class="dim" x="{x + 8}" y="{(start + end) / 2 + 3:.0f}">{link.format}</text>')
    if lane is not None:
        right, x = _LEFT + _WIDE, _LEFT + _WIDE + _LABEL + _LANE * lane
        out = top + _TALL - 5
        parts.append(f'<text class="dim" x="{right + 4}" y="{out - 4}">{link.format}</text>')
        for target in _far(link):
            into = entries[link.source, target]
            parts.append(f'<path class="{kind}" d="M{right} {out}H{x}V{into}H{right + 5}"/>')
            parts.append(_head(right, into, "left", kind))
    return "".join(parts)


def _head(x: int, y: int, way: str, kind: str) -> str:
    points = f"M{x} {y}l-4 -7h8z" if way == "down" else f"M{x} {y}l7 -4v8z"
    return f'<path class="head {kind}" d="{points}"/>'


def _class(link: Link) -> str:
    if link.bits is None:
        return "none"
    return "few" if link.bits < 8 else "eight" if link.bits == 8 else "many"


def _boxes(boxes: tuple[Box, ...]) -> Iterator[str]:
    for number, box in enumerate(boxes):
        y, end = _row(number), box.kind in (BoxKind.INPUT, BoxKind.OUTPUT)
        kind = "box end" if end else "box out" if box.kind is BoxKind.FLOAT else "box"
        detail = box.operation + (f", weights {' and '.join(box.weights)}" if box.weights else "")
        detail += ", in float" if box.kind is BoxKind.FLOAT else ""
        yield (
            f"<g><title>{escape(box.name)}: {escape(detail or box.kind.value)}</title>"
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{_WIDE}" height="{_TALL}" rx="5"/>'
            f'<text x="{_LEFT + 10}" y="{y + (21 if end else 15)}">{escape(_cut(box.name))}</text>'
            f'<text class="dim" x="{_LEFT + 10}" y="{y + 28}">{escape(_cut(detail))}</text></g>'
        )


def _row(number: int) -> int:
    return _TOP + _PITCH * number


def _cut(text: str) -> str:
    """The end of a long text: the last names of a path say most."""
    return text if len(text) <= _LETTERS else f"…{text[1 - _LETTERS :]}"


def _legend() -> str:
    return "".join(
        f'<path class="{kind}" d="M{_LEFT + 104 * number} 14h16"/>'
        f'<text class="dim" x="{_LEFT + 22 + 104 * number}" y="18">{text}</text>'
        for number, (kind, text) in enumerate(_LEGEND)
    )
