"""Small edits that compose: nested expressions put theirs inside one another without overlapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.foundation.findings import Edit

if TYPE_CHECKING:
    from collections.abc import Iterable

CLOSING, OPENING, REPLACING = 0, 1, 2
STATEMENT = 1 << 40  # the extent of a statement that is inserted: behind all that closes an expression at its place


@dataclass(frozen=True, slots=True)
class Piece:
    """Replace the code points from `start` to `end` by `text`; `order` settles insertions at one place.

    `layer` tells apart, and orders from the inside, what several rewrites put around one expression.
    """

    start: int
    end: int
    text: str
    phase: int = REPLACING
    extent: int = 0
    layer: int = 0

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Closing brackets before opening ones; of those, the outermost opens first and closes last."""
        sign = -1 if self.phase == OPENING else 1
        return (self.start, self.phase, sign * self.extent, sign * self.layer)


def opening(offset: int, text: str, extent: int, layer: int = 0) -> Piece:
    """Insert `text` in front of an expression that is `extent` long."""
    return Piece(offset, offset, text, OPENING, extent, layer)


def closing(offset: int, text: str, extent: int, layer: int = 0) -> Piece:
    """Insert `text` behind an expression that is `extent` long."""
    return Piece(offset, offset, text, CLOSING, extent, layer)


def overlaps(pieces: Iterable[Piece]) -> bool:
    """True if two pieces claim the same characters."""
    done = -1
    for piece in sorted(set(pieces), key=lambda p: p.order):
        if piece.start < done:
            return True
        done = max(done, piece.end)
    return False


def to_edits(path: str, pieces: Iterable[Piece]) -> tuple[Edit, ...]:
    """The pieces as edits, in the order in which they apply."""
    ordered = sorted(dict.fromkeys(pieces), key=lambda p: p.order)
    return tuple(Edit(path, piece.start, piece.end, piece.text) for piece in ordered)


def apply(text: str, pieces: Iterable[Piece], start: int = 0, end: int | None = None) -> str:
    """The text between `start` and `end` with the pieces applied that lie there."""
    stop = len(text) if end is None else end
    parts: list[str] = []
    done = start
    for piece in sorted(dict.fromkeys(pieces), key=lambda p: p.order):
        if piece.start < start or piece.end > stop:
            continue
        parts += (text[done : piece.start], piece.text)
        done = piece.end
    return "".join((*parts, text[done:stop]))
