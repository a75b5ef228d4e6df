"""Patterns as .gitignore writes them, matched against one entry at a time (a walk prunes folders, top down)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class Patterns:
    """Compiled lines: (expression, whether it re-includes, whether it means folders only)."""

    lines: tuple[tuple[re.Pattern[str], bool, bool], ...]

    @classmethod
    def compile(cls, lines: Iterable[str]) -> Patterns:
        """Compile the lines of a .gitignore; blank ones and comments count for nothing."""
        return cls(tuple(compiled for line in lines if (compiled := _compile(line))))

    def verdict(self, path: str, is_dir: bool) -> bool | None:
        """True: ignored; False: re-included by a `!` line; None: no line speaks of it. The last line that does wins."""
        for expression, negated, dir_only in reversed(self.lines):
            if (is_dir or not dir_only) and expression.fullmatch(path):
                return not negated
        return None


@dataclass(frozen=True, slots=True)
class PatternScope:
    """Patterns and the folder that they are relative to."""

    root: Path
    lines: tuple[str, ...]
    patterns: Patterns

    @classmethod
    def compile(cls, root: Path, lines: Iterable[str]) -> PatternScope:
        """Compile lines as a .gitignore in `root` would hold them."""
        kept = tuple(lines)
        return cls(root, kept, Patterns.compile(kept))

    def verdict(self, path: Path, is_dir: bool) -> bool | None:
        """The answer of the patterns for this very entry; None too if it lies outside the folder."""
        below = self._below(path)
        return None if below is None else self.patterns.verdict(below, is_dir)

    def covers(self, path: Path) -> bool:
        """True if the file, or a folder that holds it, is matched."""
        below = self._below(path)
        if below is None:
            return False
        parents = [str(parent) for parent in PurePosixPath(below).parents][:-1]
        if any(self.patterns.verdict(parent, is_dir=True) for parent in parents):
            return True
        return bool(self.patterns.verdict(below, is_dir=False))

    def _below(self, path: Path) -> str | None:
        root = str(self.root)
        prefix = root if root.endswith(os.sep) else root + os.sep
        text = str(path)
        return text[len(prefix) :].replace(os.sep, "/") if text.startswith(prefix) else None


def _compile(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    text = _strip_trailing_blanks(line.rstrip("\r\n"))
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text[1:] if negated else text
    dir_only = text.endswith("/")
    text = text.rstrip("/") if dir_only else text
    if not text:
        return None
    anchored = "/" in text
    body = _translate(text.removeprefix("/"))
    return re.compile(body if anchored else f"(?:.*/)?{body}", re.DOTALL), negated, dir_only


def _strip_trailing_blanks(text: str) -> str:
    """Trailing blanks do not count unless a backslash keeps them."""
    stripped = text.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return text[: len(stripped) + 1] if backslashes % 2 and len(stripped) < len(text) else stripped


_TOKEN = re.compile(
    r"(?P<lead>^\*{2,}/)|(?P<middle>/\*{2,}(?=/))|(?P<tail>/\*{2,}$)|(?P<stars>\*+)|(?P<any>\?)"
    r"|\\(?P<escaped>.)|(?P<set>\[[!^]?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])|(?P<plain>.)",
    re.DOTALL,
)


_NAMED_SET = re.compile(r"\\\[:(\w+):\]")
_NAMED_SETS = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def _translate(pattern: str) -> str:
    return "".join(_piece(match) for match in _TOKEN.finditer(pattern))


def _piece(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "lead":
            return "(?:.*/)?"
        case "middle":
            return "(?:/.*)?"
        case "tail":
            return "/.+"
        case "stars":
            return "[^/]*"
        case "any":
            return "[^/]"
        case "set":
            return _character_set(match.group())
        case "escaped":
            return re.escape(match.group("escaped"))
        case _:
            return re.escape(match.group())


def _character_set(text: str) -> str:
    inner = text[1:-1]
    negated = inner[:1] in ("!", "^")
    body = (inner[1:] if negated else inner).replace("[", r"\[")
    body = _NAMED_SET.sub(lambda match: _NAMED_SETS.get(match[1], match[0]), body)
    # A leading ] is a member; python needs it escaped.
    body = r"\]" + body[1:] if body.startswith("]") else body
    try:
        re.compile(f"[{body}]")
    except re.error:  # a range the wrong way round matches nothing in git
        return "(?!)"
    return f"(?!/)[{'^' if negated else ''}{body}]"
