"""The state of one function under evaluation: its scope, and how often each event happens on one path."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from qprep.analysis.facts import MANY
from qprep.analysis.places import Place, Unit
from qprep.analysis.values.abstract_values import UNKNOWN, Kind, Mapping, Module, Sequence, Union, join, join_all
from qprep.analysis.values.allocation_sites import AllocationSite
from qprep.analysis.values.closure_values import Home, NameScope
from qprep.analysis.values.path_events import Event, InOneRound, ModuleRan, ModuleRanAt

if TYPE_CHECKING:
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.analysis.values.abstract_values import ClassRef
    from qprep.analysis.values.access_paths import AccessPath
    from qprep.analysis.values.allocation_sites import Origin


class Condition(NamedTuple):
    """The condition of a branch: a test, or that a value equals a constant, holds or does not."""

    text: str
    constant: str  # what the value is compared with; "" for a test by itself
    holds: bool


class Counts(dict[Event, int]):
    """The number of times that each event happens on the longest path so far: once, or many times."""

    def add(self, event: Event, times: int = 1) -> None:
        """`event` happens here."""
        self[event] = min(MANY, self.get(event, 0) + times)

    def add_all(self, other: Counts) -> None:
        """All of `other` happens here."""
        for event, times in other.items():
            self[event] = min(MANY, self.get(event, 0) + times)

    def alternative(self, other: Counts) -> None:
        """Either this happened or `other`."""
        for event, times in other.items():
            if self.get(event, 0) < times:
                self[event] = times

    def repeated(self, loop: int) -> Counts:
        """The counts if this is the body of `loop`: events on an instance that each round makes anew happen once."""
        result = Counts()
        for event, times in self.items():
            if isinstance(event, InOneRound) and event.loop == loop:
                result.add(event.event, times)
            elif isinstance(event, ModuleRan | ModuleRanAt) and loop in event.loops:
                result.add(event._replace(identity=event.identity.generalized(), loops=event.loops - {loop}), times)
            else:
                result.add(event, MANY)
        return result


@dataclass(frozen=True, slots=True)
class CallSummary:
    """The result and the events of a call of a function."""

    returned: Kind
    counts: Counts
    operation_places: frozenset[Place]


NOTHING: Final = CallSummary(UNKNOWN, Counts(), frozenset())
"""The summary of a call that is not evaluated: inside itself, too deep, or of a function without source."""


@dataclass(slots=True)
class PathState:
    """The state that statements change and that is joined at the end of branches."""

    names: dict[str, Kind]
    counts: Counts

    def copy(self) -> PathState:
        """A state of its own for one branch."""
        return PathState(dict(self.names), Counts(self.counts))


@dataclass(slots=True)
class Frame:
    """One function being evaluated."""

    index: FileIndex
    unit: Unit
    function: str
    self_kind: Kind | None
    cls: ClassRef | None
    scope: NameScope
    recording: bool
    node: ast.AST | None = None
    counts: Counts = field(default_factory=Counts)
    operation_places: set[Place] = field(default_factory=set)
    returns: list[Kind] = field(default_factory=list)
    exits: list[Counts] = field(default_factory=list)
    jumps: list[PathState] = field(default_factory=list)
    loops: list[int] = field(default_factory=list)
    loop_names: dict[str, int] = field(default_factory=dict)
    loop_strides: dict[str, int] = field(default_factory=dict)  # of loops over a range that goes by more than one
    loop_values: dict[str, ast.expr] = field(default_factory=dict)  # of names that a loop computes: `j = 2 * i`
    alive: bool = True
    earlier: list[Counts] = field(default_factory=list)  # what happened before each loop that this is in
    conditions: frozenset[Condition] = frozenset()  # what the branches around may take for granted
    guards: dict[Event, list[frozenset[Condition]]] = field(default_factory=dict)  # under which an event happened
    is_for_loss: bool = False  # what runs here only computes a loss
    caller: Frame | None = None  # the frame that called this one on the same object
    _home: Home | None = None

    @property
    def home(self) -> Home:
        """The part of this frame that functions inside it keep."""
        if self._home is None:
            self._home = Home(self.index, self.unit, self.function, self.self_kind, self.cls, self.loop_names, {})
        return self._home

    def place(self, node: ast.expr | ast.stmt) -> Place:
        """The place of `node`."""
        return Place.of(self.index.name, node)

    def save(self) -> PathState:
        """The state at this point."""
        return PathState(dict(self.scope.names), Counts(self.counts))

    def load(self, state: PathState) -> None:
        """Continue from `state`."""
        self.scope.names, self.counts = dict(state.names), Counts(state.counts)

    def meet(self, states: list[PathState]) -> None:
        """Continue where several paths meet."""
        if len(states) == 1:
            self.load(states[0])
            return
        names: dict[str, Kind] = {}
        for state in states:
            for name, kind in state.names.items():
                names[name] = join(names[name], kind) if name in names else kind
        counts = Counts()
        for state in states:
            counts.alternative(state.counts)
        self.scope.names, self.counts = names, counts

    def returned(self) -> Kind:
        """The value that the function returns."""
        return join_all(self.returns) if self.returns else UNKNOWN

    def total(self) -> Counts:
        """The events on the longest path through the function."""
        counts = Counts(self.counts) if self.alive else Counts()
        for other in self.exits:
            counts.alternative(other)
        return counts


def rooted(kind: Kind, path: AccessPath, owner: AccessPath | None = None) -> Kind:
    """The kind of a value reached through `path`: its modules know the way to themselves."""
    if type(kind) is Module:
        item = rooted(kind.item, path.any_item) if kind.item is not None else None
        made = _owned_by(owner, kind.origin) if owner else kind.origin
        return Module(kind.cls, path, made, item, kind.loops)
    if type(kind) is Sequence:
        items = (
            tuple(rooted(item, path.item(str(i))) for i, item in enumerate(kind.items)) if kind.items else kind.items
        )
        return Sequence(rooted(kind.item, path.any_item), items)
    if type(kind) is Mapping:
        return Mapping(rooted(kind.value, path.any_item))
    if type(kind) is Union:
        parts = [rooted(option, path) for option in kind.options]
        return join_all(Module(p.cls, p.path, None, p.item, p.loops) if type(p) is Module else p for p in parts)
    return kind


def _owned_by(owner: AccessPath, origin: Origin | None) -> Origin | None:
    """The origin of a module that the class of the object at `owner` made."""
    if origin is None:
        return None
    return (origin if isinstance(origin, AllocationSite) else AllocationSite((origin,))).below(owner)


def unrooted(kind: Kind) -> Kind:
    """The kind of a value that others than self reach, too: its modules do not know the way to themselves."""
    if type(kind) is Module:
        return Module(kind.cls, None, None, unrooted(kind.item) if kind.item is not None else None)
    if type(kind) is Sequence:
        return Sequence(unrooted(kind.item), tuple(map(unrooted, kind.items)) if kind.items else kind.items)
    if type(kind) is Mapping:
        return Mapping(unrooted(kind.value))
    return join_all(map(unrooted, kind.options)) if type(kind) is Union else kind


def in_loop(kind: Kind, loop: int) -> Kind:
    """An item that the variable of `loop` selects: another instance in each iteration."""
    if type(kind) is Module and kind.path is not None:
        return Module(kind.cls, kind.path, kind.origin, kind.item, kind.loops | {loop})
    if type(kind) is Sequence:
        items = tuple(in_loop(item, loop) for item in kind.items) if kind.items else kind.items
        return Sequence(in_loop(kind.item, loop), items)
    if type(kind) is Union:
        return join_all(in_loop(option, loop) for option in kind.options)
    return kind
