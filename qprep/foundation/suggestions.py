"""Suggestions for misspelt names in error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_CLOSENESS: Final = 0.5  # difflib's ratio; at its default, 0.6, short names with one wrong letter are not found


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is spelt most like `word`, in any case; None if none is alike."""
    names = list(known)
    for spelling in (word, word.upper()):
        if found := difflib.get_close_matches(spelling, names, 1, _CLOSENESS):
            return found[0]
    return None


def did_you_mean(word: str, known: Iterable[str], quote: str = "'") -> str:
    """The end of a sentence, "; did you mean 'x'?" with the nearest known word; "" if none is alike."""
    found = nearest(word, known)
    return f"; did you mean {quote}{found}{quote}?" if found is not None else ""
