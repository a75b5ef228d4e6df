"""Matches sub-graphs: chains of operations, with branches that meet, optional parts and names for what is found."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, SupportsIndex, overload

from torch import nn

from qprep.foundation.catalogue.lookup import load
from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node

Kind = type[nn.Module] | str
_OPTIONAL: Final = 6  # optional parts in one pattern: each doubles the chains that are tried


@dataclass(frozen=True, slots=True)
class Maybe:
    """A part of a pattern that may be missing: `Pattern("conv2d", Maybe("batch_norm"), "relu")`."""

    element: Element


@dataclass(frozen=True, slots=True)
class Captured:
    """A part with a name: `Pattern(Captured("layer", "linear"), "relu")`, then `match["layer"]`."""

    name: str
    element: Element


class Branches:
    """Chains that meet in the operation behind them, one for each of its inputs, in any order.

    `Pattern(Branches(("conv2d", "relu"), ()), "add")`: an addition, one operand of which is such a chain; an empty one
    is any tensor. First in a pattern only.
    """

    def __init__(self, *chains: Sequence[Element]) -> None:
        """Raises QprepError for fewer than two chains."""
        if len(chains) < 2:
            raise QprepError(f"expected two or more chains in Branches, found {len(chains)}")
        self.chains = [tuple(chain) for chain in chains]


Element = Kind | tuple[Kind, ...] | Maybe | Captured | Branches


class Match(tuple[Node, ...]):  # noqa: SLOT001  (it has a dict for the names)
    """The nodes that were found, in the pattern's order; `match["name"]` is what `Captured` gave a name."""

    captures: Mapping[str, Node]

    @overload
    def __getitem__(self, key: str) -> Node: ...
    @overload
    def __getitem__(self, key: SupportsIndex) -> Node: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Node, ...]: ...
    def __getitem__(self, key: SupportsIndex | slice | str) -> Node | tuple[Node, ...]:
        """By place, or by name; QprepError for a name that the pattern does not give, or whose part was missing."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.captures:
            known = ", ".join(self.captures) or "none"
            raise QprepError(f"expected a name that was captured ({known}), found {key!r}")
        return self.captures[key]


@dataclass(frozen=True, slots=True)
class _Part:
    """One operation to be: its kinds, and the name it is captured by."""

    kinds: tuple[Kind, ...]
    name: str | None = None


@dataclass(slots=True)
class _Chain:
    """A way that a pattern can be: what meets in its first operation, and the operations."""

    branches: list[list[_Part]] = field(default_factory=list)
    parts: list[_Part] = field(default_factory=list)


class Pattern:
    """`Pattern(nn.Conv2d, nn.BatchNorm2d, ("relu", "relu6"))`: successive nodes without other readers.

    An element is a module class (subclasses match too), an operation's name in the catalogue, a tuple of either, or
    `Maybe`, `Captured` or `Branches`.
    """

    def __init__(self, *elements: Element) -> None:
        """Raises QprepError if there is nothing to match, and for names that no operation has."""
        if not elements:
            raise QprepError("expected one or more elements in a pattern, found none")
        branches: list[tuple[Element, ...]] = []
        rest = list(elements)
        if isinstance(rest[0], Branches):
            branches = rest.pop(0).chains  # type: ignore[union-attr]
        if not rest:
            raise QprepError("expected an operation behind Branches, where they meet, found none")
        around = [_ways(chain) for chain in branches]
        self._chains = [
            _Chain(list(ends), parts) for parts in _ways(rest) for ends in itertools.product(*around) if parts
        ]
        if all(isinstance(each, Maybe) for each in rest):
            raise QprepError("expected an element that is not optional in a pattern, found none")

    def match(self, graph: Graph) -> Iterator[Match]:
        """Every sub-graph that fits, in the order of its first node; the graph may be changed between two of them.

        If several matches begin with one node, the longest is used.
        """
        for node in list(graph.nodes):
            if node not in graph.nodes:
                continue
            found = next((made for chain in self._chains if (made := _fit(chain, node, graph)) is not None), None)
            if found is not None:
                yield found


def _ways(elements: Sequence[Element]) -> list[list[_Part]]:
    """All chains that elements with optional ones describe, the longest first."""
    if sum(isinstance(each, Maybe) for each in elements) > _OPTIONAL:
        raise QprepError(f"expected at most {_OPTIONAL} optional elements in a pattern")
    choices = [_choices(each) for each in elements]
    ways = [[part for part in way if part is not None] for way in itertools.product(*choices)]
    return sorted(ways, key=len, reverse=True)


def _choices(element: Element) -> list[_Part | None]:
    if isinstance(element, Maybe):
        return [*_choices(element.element), None]
    if isinstance(element, Captured):
        return [each and _Part(each.kinds, element.name) for each in _choices(element.element)]
    kinds = element if isinstance(element, tuple) else (element,)
    for kind in kinds:
        _check(kind)
    return [_Part(kinds)]  # type: ignore[arg-type]  # checked


def _check(kind: object) -> None:
    if isinstance(kind, str):
        known = {op.name for op in load().ops}
        if kind not in known:
            raise QprepError(
                f"expected an operation of the catalogue in a pattern, found {kind!r}{did_you_mean(kind, known)}"
            )
    elif not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise QprepError(f"expected module classes or operations' names in a pattern, found {kind!r}")


def _fit(chain: _Chain, node: Node, graph: Graph) -> Match | None:
    """The chain from `node` on, and what meets in it."""
    nodes = [node]
    for _ in chain.parts[1:]:
        following = _following(nodes[-1], graph)
        if following is None:
            return None
        nodes.append(following)
    pairs = list(zip(chain.parts, nodes, strict=True))
    if not all(_fits(each, part.kinds) for part, each in pairs):
        return None
    if chain.branches:
        before = _meeting(chain.branches, node, graph)
        if before is None:
            return None
        pairs = before + pairs
    made = Match(each for _, each in pairs)
    made.captures = {part.name: each for part, each in pairs if part.name is not None}
    return made


def _following(node: Node, graph: Graph) -> Node | None:
    following = graph.only_consumer(node.outputs[0]) if len(node.outputs) == 1 else None
    return following if following is not None and following.inputs == node.outputs else None


def _meeting(branches: Sequence[Sequence[_Part]], node: Node, graph: Graph) -> list[tuple[_Part, Node]] | None:
    """Each branch on an input of its own, in the order that fits."""
    if len(node.inputs) != len(branches):
        return None
    for edges in itertools.permutations(node.inputs):
        found = [_behind(parts, edge, graph) for parts, edge in zip(branches, edges, strict=True)]
        if all(each is not None for each in found):
            return [pair for each in found if each is not None for pair in each]
    return None


def _behind(parts: Sequence[_Part], edge: Edge, graph: Graph) -> list[tuple[_Part, Node]] | None:
    """The chain that ends in `edge`, which only one node reads."""
    found: list[tuple[_Part, Node]] = []
    for part in reversed(parts):
        producer = edge.producer
        if producer is None or graph.only_consumer(edge) is None or not _fits(producer, part.kinds):
            return None
        found.insert(0, (part, producer))
        if part is not parts[0]:
            if len(producer.inputs) != 1:
                return None
            edge = producer.inputs[0]
    return found


def _fits(node: Node, alternatives: tuple[Kind, ...]) -> bool:
    if not node.owned:
        return False
    return any(
        node.op is not None and node.op.name == each if isinstance(each, str) else isinstance(node.module, each)
        for each in alternatives
    )
