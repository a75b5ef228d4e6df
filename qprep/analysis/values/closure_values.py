"""Lambdas and nested functions as values, with the names around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import Kind

if TYPE_CHECKING:
    import ast

    from qprep.analysis.places import Place, Unit
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.analysis.values.abstract_values import ClassRef


@dataclass(slots=True)
class NameScope:
    """Local names, and those of the enclosing function for a closure."""

    names: dict[str, Kind]
    parent: NameScope | None = None

    def lookup(self, name: str) -> Kind | None:
        """The kind of a local name."""
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def snapshot(self) -> tuple[frozenset[tuple[str, Kind]], ...]:
        """All names as they are now, innermost scope first."""
        own = (frozenset(self.names.items()),)
        return own if self.parent is None else (*own, *self.parent.snapshot())


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """The context of a nested function, small: it may be kept long after the evaluation is over.

    callers  the recorded calls of a function that gives back one inside it, with where each stands
    """

    index: FileIndex
    unit: Unit
    function: str
    self_kind: Kind | None
    cls: ClassRef | None
    loop_names: dict[str, int]
    callers: dict[Place, tuple[Unit, str]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Closure(Kind):
    """A lambda or nested function with the scope it was made in (compared by identity)."""

    node: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef
    scope: NameScope
    home: Home

    __eq__ = object.__eq__  # the base would take any two for one
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"Closure({self.home.index.name}:{self.node.lineno}:{self.node.col_offset})"
