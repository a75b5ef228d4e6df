"""Solves for the objects that expressions may refer to: on demand, and again when what they depend on grows."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, TypeVar

from qprep.analysis.effects.abstract_objects import NOTHING, References, is_complete, widened
from qprep.analysis.effects.call_uses import Derived
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.value_keys import Key

T = TypeVar("T")

MAX_DEPTH = 60
"""Expressions that are evaluated inside one another; deeper ones wait in a queue, so that no stack overflows."""

MAX_CLASS_DEPTH = 20
"""More of them for the class of a test, as long as it takes to follow a few imports."""


@dataclass(slots=True, eq=False)
class _Cell:
    """One unknown: its value so far, and the unknowns that are computed again when it grows.

    Cells are compared by identity, so that a key is hashed once for each question.
    """

    key: Key | Derived
    value: Any
    compute: Callable[[], Any] | None = None  # of a derived result
    scope: LexicalScope | None = None  # of an expression
    users: dict[_Cell, None] = field(default_factory=dict)
    is_queued: bool = False
    is_decided: bool = False  # nothing is known of the value, and that stays so
    rank: int = 0  # the order in which first computations end: what a value follows from comes before it


class Fixpoint(ABC):
    """Values that depend on one another: each grows until nothing changes."""

    def __init__(self) -> None:
        self._cells: dict[Key | Derived, _Cell] = {}
        # Two heaps: in one sweep what others follow from comes first; what grew behind it waits for the next sweep.
        self._waiting: list[tuple[int, int, _Cell]] = []
        self._next: list[tuple[int, int, _Cell]] = []
        self._ranks = self._pushed = self._swept = 0
        self._outdated: dict[_Cell, None] = {}
        self._current: list[_Cell] = []
        self._limit = MAX_DEPTH
        # Values of which nothing is known so far, with the cells that need to know.
        self._undecided: dict[_Cell, dict[_Cell, None]] = {}

    @abstractmethod
    def _compute(self, key: Key, scope: LexicalScope | None) -> References:
        """The value of a key, as far as the values that it depends on are known."""

    def get(self, key: Key, scope: LexicalScope | None = None) -> References:
        """The value of a key so far; the key that is being computed is computed again when it grows."""
        return self._cell(key, scope).value  # type: ignore[no-any-return]

    def _cell(self, key: Key, scope: LexicalScope | None) -> _Cell:
        """The cell of a key, after the first computation of its value."""
        cell = self._cells.get(key)
        is_new = cell is None
        if cell is None:
            cell = self._cells[key] = _Cell(key, NOTHING)
        if scope is not None:
            cell.scope = scope
        if self._current:
            cell.users[self._current[-1]] = None
        if is_new:
            if len(self._current) < self._limit:
                self._update(cell)
            else:
                self._enqueue(cell)
            self._ranks += 1
            cell.rank = self._ranks
        if not self._current:
            self._solve()
        return cell

    def derived(self, key: Derived, compute: Callable[[], T], empty: T) -> T:
        """A result that follows from values, so far: it is computed again when these grow, and merged by `|`."""
        cell = self._cells.get(key)
        is_new = cell is None
        if cell is None:
            cell = self._cells[key] = _Cell(key, empty, compute)
        if self._current:
            cell.users[self._current[-1]] = None
        if is_new:
            if len(self._current) < self._limit:
                self._derive(cell)
            else:
                self._outdated[cell] = None
        if not self._current:
            self._solve()
        return cell.value  # type: ignore[no-any-return]

    def _derive(self, cell: _Cell) -> None:
        assert cell.compute is not None
        self._current.append(cell)
        try:
            found = cell.compute()
        finally:
            self._current.pop()
        merged = cell.value | found
        if merged != cell.value:
            cell.value = merged
            for user in cell.users:
                self._enqueue(user)

    def _enqueue(self, cell: _Cell) -> None:
        if cell.compute is not None:
            self._outdated[cell] = None
        elif not cell.is_queued:
            cell.is_queued = True
            self._pushed += 1
            heappush(self._waiting if cell.rank > self._swept else self._next, (cell.rank, self._pushed, cell))

    def _solve(self) -> None:
        """Compute again what grew, until nothing does; then take values of which nothing is known for unknown ones."""
        while self._waiting or self._next or self._outdated or self._undecided:
            while self._waiting or self._next:
                self._sweep()
            outdated, self._outdated = self._outdated, {}
            for each in outdated:
                self._derive(each)
            if outdated:
                continue
            self._decide()

    def _sweep(self) -> None:
        """Compute again what waits, each in the order of its rank."""
        if not self._waiting:
            self._waiting, self._next = self._next, []
        while self._waiting:
            self._swept, _, cell = heappop(self._waiting)
            cell.is_queued = False
            self._update(cell)
        self._swept = 0

    def _decide(self) -> None:
        """Take values of which nothing is known for unknown ones."""
        undecided, self._undecided = self._undecided, {}
        for cell, users in undecided.items():
            if not cell.value:
                cell.is_decided = True
                for user in users:
                    self._enqueue(user)

    def known(self, node: ast.expr, scope: LexicalScope) -> References | None:
        """The objects that an expression may refer to; None while that may still become known.

        So no known function counts as unknown code, and no known object as one without facts.
        """
        return self.known_key(node, scope)

    def known_key(self, key: Key, scope: LexicalScope | None = None) -> References | None:
        """The value of a key; None while something may still become known of it."""
        cell = self._cell(key, scope)
        found: References = cell.value
        if found or not self._current or cell.is_decided:
            return found
        self._undecided.setdefault(cell, {})[self._current[-1]] = None
        return None

    def known_class(self, node: ast.expr, scope: LexicalScope) -> References | None:
        """The classes of an expression, which is evaluated at once even inside many others: what waits is not known."""
        self._limit, before = MAX_DEPTH + MAX_CLASS_DEPTH, self._limit
        try:
            return self.known(node, scope)
        finally:
            self._limit = before

    def _update(self, cell: _Cell) -> None:
        assert not isinstance(cell.key, Derived)
        if is_complete(cell.value):
            return  # it covers everything already
        self._current.append(cell)
        try:
            found = self._compute(cell.key, cell.scope)
        finally:
            self._current.pop()
        known = cell.value
        if found <= known:
            return
        grown = widened(known | found)
        if grown != known:
            cell.value = grown
            for user in cell.users:
                self._enqueue(user)
