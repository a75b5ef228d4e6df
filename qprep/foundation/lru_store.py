"""A store that forgets what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


def _one(_: object) -> int:
    return 1


class LruStore(Generic[_K, _V]):
    """Values by key; beyond `limit` the least recently used are forgotten, down to a single one.

    weigh  what the entry of a key counts for; 1 each by default
    """

    def __init__(self, limit: int, weigh: Callable[[_K], int] = _one) -> None:
        self._limit, self._weigh = limit, weigh
        self._kept: OrderedDict[_K, _V] = OrderedDict()
        self._weight = 0

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: _K) -> _V | None:
        """The value of a key, which counts as used now; None if there is none."""
        value = self._kept.get(key)
        if value is not None:
            self._kept.move_to_end(key)
        return value

    def find(self, key: _K, make: Callable[[], _V]) -> _V:
        """The value of a key, which counts as used now; it is made if there is none."""
        if key not in self._kept:
            self.put(key, make())
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: _K, value: _V) -> None:
        """Keep the value of a key; others may be forgotten."""
        if key not in self._kept:
            self._weight += self._weigh(key)
        self._kept[key] = value
        self._kept.move_to_end(key)
        while self._weight > self._limit and len(self._kept) > 1:
            self._weight -= self._weigh(self._kept.popitem(last=False)[0])

    def discard(self, key: _K) -> None:
        """Forget one key, if it is there."""
        if key in self._kept:
            del self._kept[key]
            self._weight -= self._weigh(key)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._weight = 0
