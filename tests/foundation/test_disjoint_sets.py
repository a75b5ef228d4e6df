"""Union-find."""

from __future__ import annotations

from qprep.foundation.disjoint_sets import DisjointSets


def test_members_start_apart_and_merge_under_the_leader_of_the_first() -> None:
    """The leader of a merged set is that of the first set given."""
    sets = DisjointSets("abcd")
    sets.merge("b", "a")
    sets.merge("c", "b")

    assert sets.leaders() == {"a": "c", "b": "c", "c": "c", "d": "d"}
    assert sets.leader("a") == sets.leader("b") != sets.leader("d")


def test_other_members_are_not_contained() -> None:
    """`in` asks for members, whatever set they are in."""
    assert 1 in DisjointSets((1, 2))
    assert 3 not in DisjointSets((1, 2))
