"""The names that a source text may bind at its top level, without parsing it."""

from __future__ import annotations

import re
import unicodedata

# A match inside a text or a comment makes a name possible that is not there: that costs time and nothing else.
_TAKES_ALL = re.compile(r"import[\s\\]*\*")
_STAR = re.compile(r"\bfrom[ \t]+(\.*)([^\W\d][\w.]*)?[ \t]+import[ \t]*\*")
_KEYWORDS = ("import", "as", "class", "def")
_RENAMED = re.compile(r"\s+as\b")
_ASSIGNED = re.compile(r"[\s\\]*=")
_BLANK = " \t\f\\"


class BoundNames:
    """Says which classes, functions and imported names a text cannot give to a file that takes all its names.

    Over-approximates: `may_bind` is True for a name that stands where a definition or an import has one, and `stars`
    holds every module of which the text takes all names.
    """

    def __init__(self, text: str) -> None:
        # Python reads identifiers in this form: an ASCII name may be written with other characters.
        self._text = unicodedata.normalize("NFKC", text)
        number = len(_TAKES_ALL.findall(self._text))
        found = [(len(dots), module) for dots, module in _STAR.findall(self._text)] if number else []
        self._is_plain = len(found) == number
        self.stars = tuple(dict.fromkeys(found)) if self._is_plain else ()

    def may_bind(self, name: str) -> bool:
        """False if the text neither defines nor imports a class or function called `name`.

        What it takes all names of may still have one: `stars`, as the number of dots and the module written there.
        """
        if not self._is_plain:
            return True  # `import *` in a form that only Python's parser reads
        start = self._text.find(name)
        while start >= 0:
            end = start + len(name)
            if self._is_word(start, end) and self._is_bound(start, end):
                return True
            start = self._text.find(name, end)
        return False

    def _is_word(self, start: int, end: int) -> bool:
        around = self._text[start - 1 : start] + self._text[end : end + 1]
        return not any(character == "_" or character.isalnum() for character in around)

    def _is_bound(self, start: int, end: int) -> bool:
        """True if a name stands where a definition, an import or an assignment has the one that it binds."""
        text = self._text
        if _ASSIGNED.match(text, end):
            return True  # `Net = type("Net", …)`
        if _RENAMED.match(text, end):
            return False  # `import name as other`
        while start and text[start - 1] in _BLANK:
            start -= 1
        return not start or text[start - 1] in "\r\n(,;" or text.endswith(_KEYWORDS, 0, start)
