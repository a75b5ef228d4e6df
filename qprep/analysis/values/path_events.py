"""Events on a path through a function: what a call of it runs, and how often.

The events are tuples, which are cheap to hash; `kind` keeps those of different classes apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from qprep.analysis.places import Place
    from qprep.analysis.values.access_paths import AccessPath
    from qprep.analysis.values.allocation_sites import Origin


class OperationCounted(NamedTuple):
    """An operation on activations runs, wherever it stands."""

    kind: str = "operations"


class ChildCalled(NamedTuple):
    """A module is called, whichever it is."""

    kind: str = "children"


class SelfCalled(NamedTuple):
    """The object itself is called as a module."""

    kind: str = "self"


class OperationRan(NamedTuple):
    """The operation at a place runs."""

    place: Place
    kind: str = "operation"


class FunctionCalled(NamedTuple):
    """A function that runs operations is called at a place."""

    place: Place
    kind: str = "function"


class MethodEntered(NamedTuple):
    """A method of the object begins."""

    module: str
    function: str
    kind: str = "method"


class ModuleRan(NamedTuple):
    """A module runs.

    identity  its allocation site, or its path
    loops     those whose variables select it: another instance in each round
    """

    identity: Origin
    loops: frozenset[int]
    kind: str = "module"


class ModuleRanAt(NamedTuple):
    """The same, with the place of the call."""

    identity: Origin
    place: Place
    loops: frozenset[int]
    kind: str = "module at"


class PathRan(NamedTuple):
    """A module of some classes runs, reached by a path."""

    path: AccessPath
    classes: frozenset[str]
    kind: str = "path"


class ModuleStored(NamedTuple):
    """An instance is put into something, or into the arguments of a call: at a place, or (None) anywhere."""

    origin: Origin
    place: Place | None
    unpacked: bool
    kind: str = "stored"


class InOneRound(NamedTuple):
    """An event in a branch that the variable of a loop selects: it happens in one round."""

    event: Event
    loop: int
    kind: str = "in one round"


Event = (
    OperationCounted
    | ChildCalled
    | SelfCalled
    | OperationRan
    | FunctionCalled
    | MethodEntered
    | ModuleRan
    | ModuleRanAt
    | PathRan
    | ModuleStored
    | InOneRound
)
TOTAL: Final = OperationCounted()
CHILDREN: Final = ChildCalled()
