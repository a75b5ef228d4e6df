"""Uses of functions as data: their calls, and the reads that may be them."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TypeVar

from qprep.analysis.effects.item_paths import Path
from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
from qprep.analysis.values.abstract_values import ClassRef

Argument = tuple[ast.expr, "LexicalScope"]
T = TypeVar("T")
Read = tuple["ast.Name | ast.Attribute", "FileScopes"]
ReadsBy = dict[T, dict[Read, None]]


@dataclass(slots=True)
class Meanings:
    """The reads of one name, by what they may be; `unknown`: attributes of objects of which nothing is known."""

    functions: ReadsBy[LexicalScope] = field(default_factory=lambda: defaultdict(dict))
    classes: ReadsBy[ClassRef] = field(default_factory=lambda: defaultdict(dict))
    unknown: dict[Read, None] = field(default_factory=dict)

    def reads_of(self, scope: LexicalScope) -> list[Read]:
        """The reads that may be a function; a method may be what any unknown object has by its name."""
        known = self.functions.get(scope, {})
        return [*known, *self.unknown] if scope.owner is not None else list(known)

    def __or__(self, other: Meanings) -> Meanings:
        return Meanings(
            _merged(self.functions, other.functions), _merged(self.classes, other.classes), self.unknown | other.unknown
        )


def _merged(first: ReadsBy[T], second: ReadsBy[T]) -> ReadsBy[T]:
    return {key: first.get(key, {}) | second.get(key, {}) for key in first | second}


@dataclass(slots=True)
class Uses:
    """A call of a function.

    direct   calls whose callee is the function
    loose    calls of other functions that may call it with any of the objects that they are given
    unknown  it may be called with anything
    stored   the objects in whose attributes it is kept
    named    where it is in what a decorator returns, and True where that calls it with other arguments
    """

    direct: dict[tuple[ast.Call, LexicalScope], None] = field(default_factory=dict)
    loose: dict[tuple[ast.Call, LexicalScope], None] = field(default_factory=dict)
    unknown: bool = False
    stored: dict[Argument, None] = field(default_factory=dict)
    named: dict[tuple[Path, bool], None] = field(default_factory=dict)

    def __or__(self, other: Uses) -> Uses:
        return Uses(
            self.direct | other.direct,
            self.loose | other.loose,
            self.unknown or other.unknown,
            self.stored | other.stored,
            self.named | other.named,
        )


@dataclass(frozen=True, slots=True)
class Derived:
    """The key of a result of the call graph, which follows from what expressions may refer to."""

    kind: str
    subject: object = None
