"""Results that follow from one another: each is computed once, and circles until nothing grows."""

from __future__ import annotations

from collections import Counter

from qprep.analysis.effects.recursive_results import RecursiveResults

EDGES = {"a": "bc", "b": "dc", "c": "de", "d": "", "e": "cf", "f": "a", "g": "bb"}


def reachable(key: str) -> frozenset[str]:
    found, waiting = {key}, [key]
    while waiting:
        new = [each for each in EDGES[waiting.pop()] if each not in found]
        found.update(new)
        waiting += new
    return frozenset(found)


def make(calls: Counter[str]) -> RecursiveResults[str, frozenset[str]]:
    def compute(key: str) -> frozenset[str]:
        calls[key] += 1
        return frozenset((key, *(found for other in EDGES[key] for found in results[other])))

    results: RecursiveResults[str, frozenset[str]] = RecursiveResults(compute, frozenset())
    return results


def test_circles_are_solved_from_every_start() -> None:
    for first in EDGES:
        results = make(Counter())
        for key in (first, *EDGES):
            assert results[key] == reachable(key), (first, key)


def test_many_ways_to_a_result_cost_no_more_than_one() -> None:
    chain = {str(n): [str(n + 1)] * 2 if n < 30 else [] for n in range(31)}
    calls: Counter[str] = Counter()

    def compute(key: str) -> frozenset[str]:
        calls[key] += 1
        return frozenset((key, *(found for other in chain[key] for found in results[other])))

    results: RecursiveResults[str, frozenset[str]] = RecursiveResults(compute, frozenset())
    assert len(results["0"]) == len(chain)
    assert max(calls.values()) <= 2  # once, and once more to see that nothing grows


def test_final_results_are_not_computed_again() -> None:
    calls: Counter[str] = Counter()
    results = make(calls)
    assert results["a"] == reachable("a")
    before = Counter(calls)
    assert results["e"] == reachable("e")
    assert calls == before
