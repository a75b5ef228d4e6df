"""Parameters by name: as the model has them, without wrappers, or by regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from torch import nn
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.foundation.suggestions import did_you_mean

_WRAPPERS: Final = frozenset(("module", "_orig_mod"))  # DataParallel, the quantizer's modules; torch.compile
ALL: Final = "*"


def plain(name: str) -> str:
    """`name` without the parts that wrappers add: "module.conv.weight" is "conv.weight"."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


class ParameterNames:
    """All names of the parameters of `model`; tied parameters have several, the first of them counts."""

    def __init__(self, model: nn.Module) -> None:
        self._all: dict[str, Parameter] = dict(model.named_parameters(remove_duplicate=False))
        self._first: dict[int, str] = {}
        self._plain: dict[str, list[str]] = {}
        for name, parameter in self._all.items():
            self._first.setdefault(id(parameter), name)
            self._plain.setdefault(plain(name), []).append(name)

    def __iter__(self) -> Iterator[tuple[str, Parameter]]:
        """Each parameter once, by its first name."""
        return ((name, each) for name, each in self._all.items() if self._first[id(each)] == name)

    def __contains__(self, parameter: Parameter) -> bool:
        return id(parameter) in self._first

    def of(self, parameter: Parameter) -> str:
        """The name of `parameter` without wrappers, so that it stays the same when a quantizer wraps the layer."""
        return plain(self._first[id(parameter)])

    def all_of(self, parameter: Parameter) -> list[str]:
        """All names of a parameter, without wrappers; more than one where it is tied."""
        return list(dict.fromkeys(plain(name) for name, each in self._all.items() if each is parameter))

    def named(self, name: str) -> Parameter:
        """The one parameter called `name`; CompressionError names the nearest."""
        found = self.find(name)
        if len(found) != 1:
            raise CompressionError(f"expected the name of one parameter, found {name!r}{self._hint(name)}")
        return found[0]

    def find(self, pattern: str) -> list[Parameter]:
        """Parameters called `pattern`: exactly, without wrappers, or by a regular expression that matches in full.

        "*" is every parameter of two dimensions or more. Returns an empty list where nothing matches; raises
        CompressionError if two parameters have that name once wrappers are left out, and for a wrong expression.
        """
        if pattern == ALL:
            return [each for _, each in self if each.dim() > 1]
        if pattern in self._all:
            return [self._all[pattern]]
        short = self._plain.get(plain(pattern), [])
        distinct = list({id(self._all[name]): self._all[name] for name in short}.values())
        if len(distinct) > 1:
            raise CompressionError(f"expected one parameter called {pattern!r}, found {', '.join(short)}")
        return distinct or self._matching(pattern)

    def wanted(
        self, patterns: Iterable[str], ignore: Iterable[str] = (), allow_missing: bool = False
    ) -> tuple[dict[Parameter, str], list[str]]:
        """Parameters by any of `patterns`, without those of `ignore`, each with the pattern that named it; and notes.

        Raises CompressionError for a pattern that matches nothing, unless `allow_missing`: then it is a note.
        """
        barred, notes = self.ignored(ignore, allow_missing)
        found: dict[Parameter, str] = {}
        for pattern in patterns:
            for each in self._named(pattern, "a parameter of the model", notes, allow_missing):
                if each not in barred:
                    found.setdefault(each, pattern)
        return found, notes

    def ignored(self, patterns: Iterable[str], allow_missing: bool = False) -> tuple[set[Parameter], list[str]]:
        """Parameters to leave; CompressionError, or with `allow_missing` a note, for a pattern that matches nothing."""
        notes: list[str] = []
        wanted = "a parameter of the model to ignore"
        found = {each for pattern in patterns for each in self._named(pattern, wanted, notes, allow_missing)}
        return found, notes

    def _named(self, pattern: str, wanted: str, notes: list[str], allow_missing: bool) -> list[Parameter]:
        """The parameters of a pattern; for none, a CompressionError or, with `allow_missing`, a note is added."""
        matched = self.find(pattern)
        if not matched and not allow_missing:
            raise CompressionError(f"expected {wanted}, found {pattern!r}{self._hint(pattern)}")
        if not matched:
            notes.append(
                f"{pattern}: expected {wanted}, found none with this name; allow_missing: true makes this a note"
            )
        return matched

    def _matching(self, pattern: str) -> list[Parameter]:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise CompressionError(f"expected a name or a regular expression, found {pattern!r}: {error}") from error
        return [each for name, each in self if compiled.fullmatch(name) or compiled.fullmatch(plain(name))]

    def _hint(self, pattern: str) -> str:
        return did_you_mean(plain(pattern), list(self._plain))


def by_pattern(
    values: Mapping[str, object], names: ParameterNames, allow_missing: bool
) -> tuple[dict[Parameter, str], list[str]]:
    """As `Names.wanted` for a mapping by names; "*" in it is the value of all that no other key names."""
    own = [pattern for pattern in values if pattern != ALL]
    found, notes = names.wanted(own, (), allow_missing)
    if ALL in values:
        for each in names.find(ALL):
            found.setdefault(each, ALL)
    return found, notes
