"""Names of definitions: what identifies a class, a function or a method in its file."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class DefinitionName(NamedTuple):
    """`Block.forward` in parts.

    owner    the class or the function around it, as it is named itself; "" at the top of a file
    name     the name that the source gives it
    variant  the line that distinguishes one of several definitions of a name from the last one; "" for that
    """

    owner: str
    name: str
    variant: str = ""

    @classmethod
    @lru_cache(maxsize=10_000)
    def parse(cls, text: str) -> DefinitionName:
        """Return the parts of a definition's name."""
        owner, _, key = text.rpartition(".")
        name, _, variant = key.partition(":")
        return cls(owner, name, variant)

    def __str__(self) -> str:
        return f"{self.owner}.{self.key}" if self.owner else self.key

    @property
    def key(self) -> str:
        """The name among the definitions of its owner."""
        return f"{self.name}:{self.variant}" if self.variant else self.name


def variant(name: str, line: int | str) -> str:
    """Return the key of one of several definitions of a name, which may take the place of another in a run."""
    return f"{name}:{line}"


def variants(keys: Iterable[str], name: str) -> list[str]:
    """Return the keys of all definitions of one name, the last one first."""
    start = variant(name, "")
    return [key for key in keys if key == name or key.startswith(start)]


def plain_name(key: str) -> str:
    """Return a name, dotted or not, without the variants of its last part."""
    return key.partition(":")[0]
