"""A store forgets the entries that were used least recently."""

from __future__ import annotations

from qprep.foundation.lru_store import LruStore


def test_the_least_recently_used_is_forgotten() -> None:
    store: LruStore[str, int] = LruStore(2)
    store.put("a", 1)
    store.put("b", 2)
    assert store.get("a") == 1
    store.put("c", 3)
    assert ("a" in store, "b" in store, "c" in store) == (True, False, True)
    assert store.find("a", lambda: 9) == 1
    assert store.find("d", lambda: 4) == 4
    assert "c" not in store


def test_weights_count() -> None:
    store: LruStore[str, str] = LruStore(5, len)
    store.put("aaa", "x")
    store.put("bb", "y")
    assert len(store) == 2
    store.put("bb", "z")  # the same key does not count twice
    assert (len(store), store.get("bb")) == (2, "z")
    store.put("cc", "w")
    assert ("aaa" in store, len(store)) == (False, 2)
    store.put("long enough", "v")  # one entry stays, however heavy it is
    assert len(store) == 1
    store.clear()
    assert (store.get("long enough"), len(store)) == (None, 0)


def test_a_value_that_is_none_is_kept() -> None:
    store: LruStore[str, None] = LruStore(1)
    made: list[int] = []
    for _ in range(2):
        assert store.find("a", lambda: made.append(1)) is None
    assert made == [1]
