"""Disjoint sets that merge: which things belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

T = TypeVar("T", bound="Hashable")


class DisjointSets(Generic[T]):
    """Union-find with path halving: each member starts in a set of its own."""

    def __init__(self, members: Iterable[T]) -> None:
        self._leader = {member: member for member in members}

    def __contains__(self, member: T) -> bool:
        return member in self._leader

    def leader(self, member: T) -> T:
        """Return the member that represents the set of `member`."""
        leader = self._leader
        while leader[member] != member:
            leader[member] = member = leader[leader[member]]
        return member

    def merge(self, first: T, second: T) -> None:
        """Join two sets; the leader of `first` represents both."""
        self._leader[self.leader(second)] = self.leader(first)

    def leaders(self) -> dict[T, T]:
        """Return the leader of every member."""
        return {member: self.leader(member) for member in self._leader}
