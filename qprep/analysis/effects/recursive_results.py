"""Results that follow from one another, also in circles: each is computed once, a circle until nothing grows."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecursiveResults(Generic[K, V]):
    """The results of a function that needs other results of its own.

    The function must be monotone: of larger results, it computes a result that is as large or larger.
    """

    def __init__(self, compute: Callable[[K], V], empty: V) -> None:
        """`empty` is the result of a key that is still being computed, in the first round."""
        self._compute = compute
        self._empty = empty
        self._final: dict[K, V] = {}
        self._found: dict[K, V] = {}
        self._round: set[K] | None = None

    def __getitem__(self, key: K) -> V:
        """The result for a key, as far as it is known while it is being computed itself."""
        if key in self._final:
            return self._final[key]
        if self._round is None:
            return self._solved(key)
        if key not in self._round:
            self._round.add(key)
            self._found[key] = self._compute(key)
        return self._found.get(key, self._empty)

    def _solved(self, key: K) -> V:
        try:
            while True:
                before = dict(self._found)
                self._round = {key}
                self._found[key] = self._compute(key)
                if self._found == before:
                    break
            self._final.update((each, self._found[each]) for each in self._round)
        finally:
            self._round, self._found = None, {}
        return self._final[key]
