"""Code blocks of Markdown pages, and the comments in front of them that say how a block is used.

| comment in front of the block | meaning |
| --- | --- |
| `<!-- file: NAME -->` | the block is a file of that name |
| `<!-- exit: CODE -->` | the commands of the block exit with CODE instead of 0 |
| `<!-- same as: PAGE -->` | the block is a copy of one of that page, which is tested there |
| `<!-- needs: PACKAGE, … -->` | the block runs if these packages are installed |
| `<!-- run by: FILE -->` | the commands of the block are in FILE, which CI runs |
| `<!-- install -->` | the commands install qprep |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(
    r"(?:^<!-- (?P<comment>[^\n]*?) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: where it stands, its language, its text, and the comment in front of it."""

    page: Path
    line: int
    language: str
    text: str
    comment: str = ""

    def value(self, key: str) -> str | None:
        """The text behind `key` in the comment; "" for a key alone, None if the comment has another key."""
        name, _, value = self.comment.partition(":")
        return value.strip() if name.strip() == key else None

    @property
    def needs(self) -> tuple[str, ...]:
        """The packages that the block needs in addition to qprep's own."""
        return tuple(name.strip() for name in (self.value("needs") or "").split(",") if name.strip())

    @property
    def place(self) -> str:
        """`docs/page.md:12`."""
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a `console` block, with the lines that the page shows behind it."""

    text: str
    shown: tuple[str, ...]


def pages(root: Path = ROOT) -> tuple[Path, ...]:
    """README, CONTRIBUTING and every page of `docs/`, sorted."""
    return (root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md")))


def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return tuple(
        Block(
            page,
            text.count("\n", 0, found.start("indent")) + 1,
            found["language"],
            found["text"],
            found["comment"] or "",
        )
        for found in _BLOCK.finditer(text)
    )


def commands(block: Block) -> Iterator[Command]:
    """The commands of a `console` block: each `$ ` line, its continuation lines, and the output behind it."""
    text, shown = "", list[str]()
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if text:
                yield Command(text, tuple(shown))
            text, shown = line[2:], []
        elif text.endswith("\\"):
            text = text[:-1].rstrip() + " " + line.strip()
        else:
            shown.append(line)
    if text:
        yield Command(text, tuple(shown))


def is_shown(shown: tuple[str, ...], output: str) -> bool:
    """True if the output has the lines of the page, with numbers that differ by at most a fifth.

    A line `…` omits any number of lines; `…` at the end of a line omits the rest of it.
    """
    text = "".join(f"{_blank(line)}\n" for line in output.splitlines())
    found = re.fullmatch("".join(map(_line_pattern, shown)), text)
    if found is None:
        return False
    pairs = zip(_NUMBER.findall("\n".join(map(_shown_part, shown))), found.groups(), strict=True)
    return all(_is_near(_value(page), _value(real)) for page, real in pairs)


def _line_pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:[^\n]*\n)*"
    part = _shown_part(line)
    pattern = f"({_NUMBER.pattern})".join(re.escape(each) for each in _NUMBER.split(_blank(part)))
    return pattern + (r"[^\n]*\n" if part != line else r"\n")


def _shown_part(line: str) -> str:
    return line.removesuffix("…")


def _blank(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()


def _value(number: str) -> float:
    return float(number.replace(",", "").rstrip("."))


def _is_near(page: float, real: float) -> bool:
    return abs(page - real) <= 0.2 * max(abs(page), abs(real))
