"""Solves for the objects that expressions may refer to: on demand, and again when what they depend on grows."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable
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


class Fixpoint(ABC):
    """Values that depend on one another: each grows until nothing changes."""

    def __init__(self) -> None:
        self._values: dict[Key, References] = {}
        self._derived: dict[Derived, Any] = {}
        self._computing: dict[Derived, Callable[[], Any]] = {}
        self._scopes: dict[ast.AST, LexicalScope] = {}
        self._users: dict[Key | Derived, dict[Key | Derived, None]] = defaultdict(dict)
        self._waiting: deque[Key] = deque()
        self._queued: set[Key] = set()
        self._outdated: dict[Derived, None] = {}
        self._current: list[Key | Derived] = []
        self._limit = MAX_DEPTH
        # Values of which nothing is known so far, with the keys that need to know; and those that stay unknown.
        self._undecided: dict[Key, dict[Key | Derived, None]] = {}
        self._decided: set[Key] = set()

    @abstractmethod
    def _compute(self, key: Key) -> References:
        """The value of a key, as far as the values that it depends on are known."""

    def get(self, key: Key, scope: LexicalScope | None = None) -> References:
        """The value of a key so far; the key that is being computed is computed again when it grows."""
        if isinstance(key, ast.AST) and scope is not None:
            self._scopes[key] = scope
        if self._current:
            self._users[key][self._current[-1]] = None
        if key not in self._values:
            self._values[key] = NOTHING
            if len(self._current) < self._limit:
                self._update(key)
            else:
                self._enqueue(key)
        if not self._current:
            self._solve()
        return self._values[key]

    def derived(self, key: Derived, compute: Callable[[], T], empty: T) -> T:
        """A result that follows from values, so far: it is computed again when these grow, and merged by `|`."""
        if self._current:
            self._users[key][self._current[-1]] = None
        if key not in self._derived:
            self._derived[key] = empty
            self._computing[key] = compute
            if len(self._current) < self._limit:
                self._derive(key)
            else:
                self._outdated[key] = None
        if not self._current:
            self._solve()
        return self._derived[key]  # type: ignore[no-any-return]

    def _derive(self, key: Derived) -> None:
        self._current.append(key)
        try:
            found = self._computing[key]()
        finally:
            self._current.pop()
        merged = self._derived[key] | found
        if merged != self._derived[key]:
            self._derived[key] = merged
            for user in self._users[key]:
                self._enqueue(user)

    def _enqueue(self, key: Key | Derived) -> None:
        if isinstance(key, Derived):
            self._outdated[key] = None
        elif key not in self._queued:
            self._queued.add(key)
            self._waiting.append(key)

    def _solve(self) -> None:
        """Compute again what grew, until nothing does; then take values of which nothing is known for unknown ones."""
        while self._waiting or self._outdated or self._undecided:
            while self._waiting:
                key = self._waiting.popleft()
                self._queued.discard(key)
                self._update(key)
            outdated, self._outdated = self._outdated, {}
            for each in outdated:
                self._derive(each)
            if outdated:
                continue
            self._decide()

    def _decide(self) -> None:
        """Take values of which nothing is known for unknown ones."""
        undecided, self._undecided = self._undecided, {}
        for key, users in undecided.items():
            if not self._values[key]:
                self._decided.add(key)
                for user in users:
                    self._enqueue(user)

    def known(self, node: ast.expr, scope: LexicalScope) -> References | None:
        """The objects that an expression may refer to; None while that may still become known.

        So no known function counts as unknown code, and no known object as one without facts.
        """
        return self.known_key(node, scope)

    def known_key(self, key: Key, scope: LexicalScope | None = None) -> References | None:
        """The value of a key; None while something may still become known of it."""
        found = self.get(key, scope)
        if found or not self._current or key in self._decided:
            return found
        self._undecided.setdefault(key, {})[self._current[-1]] = None
        return None

    def known_class(self, node: ast.expr, scope: LexicalScope) -> References | None:
        """The classes of an expression, which is evaluated at once even inside many others: what waits is not known."""
        self._limit, before = MAX_DEPTH + MAX_CLASS_DEPTH, self._limit
        try:
            return self.known(node, scope)
        finally:
            self._limit = before

    def _update(self, key: Key) -> None:
        if is_complete(self._values[key]):
            return  # it covers everything already
        self._current.append(key)
        try:
            found = self._compute(key)
        finally:
            self._current.pop()
        known = self._values[key]
        if found <= known:
            return
        grown = widened(known | found)
        if grown != known:
            self._values[key] = grown
            for user in self._users[key]:
                self._enqueue(user)
