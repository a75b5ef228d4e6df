"""Abstract values: what an expression may be, as far as the source shows it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from qprep.analysis.values.allocation_sites import AllocationSite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from qprep.analysis.values.access_paths import AccessPath
    from qprep.analysis.values.allocation_sites import Origin

FLOAT, INTEGER, ANY = "f", "i", "?"


@dataclass(frozen=True, slots=True)
class Kind:
    """Base of all kinds; `UNKNOWN` is the one without information."""


@dataclass(frozen=True, slots=True)
class Tensor(Kind):
    """A tensor: whether a model input flows into it, and whether it holds floats or integers.

    is_open  nobody says that it is one tensor: it may be a dict, a list or an object that holds tensors
    is_loss  a loss function computes it, or arithmetic on the result of one
    """

    flow: bool
    dtype: str = FLOAT
    is_open: bool = False
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class InputPart(Kind):
    """Something that belongs to a model input: a tensor, a number, None or an object; its use decides."""


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A Python int, float or bool."""

    dtype: str = ANY


@dataclass(frozen=True, slots=True)
class Plain(Kind):
    """A value that no tensor operation touches: text, None, a dtype, a device, a shape."""

    what: str


@dataclass(frozen=True, slots=True)
class Word(Kind):
    """A text that is the name of an operation: `getattr(F, "relu")` reads it."""

    text: str


@dataclass(frozen=True, slots=True)
class Sequence(Kind):
    """A list or tuple: one kind for each item where they are known, else what an item may be; its names, if any."""

    item: Kind
    items: tuple[Kind, ...] | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping(Kind):
    """A dict: what a value may be."""

    value: Kind


@dataclass(frozen=True, slots=True)
class External(Kind):
    """A name of another package, builtins included: "torch.nn.functional.relu"."""

    name: str


@dataclass(frozen=True, slots=True)
class ClassRef(Kind):
    """A class of the project."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class FunctionRef(Kind):
    """A function of the project, with the object it is bound to and the class it is looked up from."""

    module: str
    name: str  # qualified within the module: "Block.forward"
    bound: Kind | None = None


@dataclass(frozen=True, slots=True)
class Property(Kind):
    """An attribute that a method computes when it is read."""

    getter: FunctionRef


@dataclass(frozen=True, slots=True)
class Partial(Kind):
    """functools.partial: the callable and what is bound already.

    made  the call that made it, and the function (its file, its name) in which that stands
    """

    function: Kind
    args: tuple[Kind, ...]
    keywords: tuple[tuple[str, Kind], ...]
    made: tuple[ast.Call, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Returning(Kind):
    """A function that was evaluated already, with what it gave: a decorator's wrapper calls it."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class MethodCaller(Kind):
    """operator.methodcaller: the method's name and what it is given."""

    name: Kind
    args: tuple[Kind, ...]
    keywords: tuple[tuple[str, Kind], ...]


@dataclass(frozen=True, slots=True)
class Module(Kind):
    """An nn.Module instance.

    cls     ClassRef, External ("torch.nn.ReLU") or None if unknown
    path    how the analysed object reaches it: `relu`, `block.conv`, `layers[*]`; None: not through self
    origin  where the instance was made, when one place makes exactly one instance
    item    what iterating or indexing it gives
    loops   the loops whose variable selects it: a fresh instance in each iteration
    """

    cls: Kind | None
    path: AccessPath | None = None
    origin: Origin | None = None
    item: Kind | None = None
    loops: frozenset[int] = frozenset()

    @property
    def is_self(self) -> bool:
        """True for the analysed object itself."""
        return self.path is not None and not self.path

    @property
    def is_common(self) -> bool:
        """True if the instance is made once, whatever takes it."""
        return self.cls is not None and isinstance(self.origin, AllocationSite) and self.origin.is_common


@dataclass(frozen=True, slots=True)
class Object(Kind):
    """An instance of a project class that is not an nn.Module; `flow`: a model input flows into its arguments."""

    cls: ClassRef
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Record(Kind):
    """The class that `namedtuple("Pair", ["first", "second"])` makes: tuples with names."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opaque(Kind):
    """A constructor's parameter of unknown kind: the same value wherever the parameter goes.

    cls  the class whose constructor it is
    """

    name: str
    cls: ClassRef | None = None


@dataclass(frozen=True, slots=True)
class Super(Kind):
    """super() in a method of `cls`, for the object `self`."""

    cls: ClassRef
    self: Kind


@dataclass(frozen=True, slots=True)
class Union(Kind):
    """One of several kinds."""

    options: frozenset[Kind]


UNKNOWN = Kind()
ACTIVATION = Tensor(True)
OPEN = Tensor(True, FLOAT, True)
PART = InputPart()
FLOWING_INTEGER = Tensor(True, INTEGER)
PARAMETER = Tensor(False)
CONSTANT_INTEGER = Tensor(False, INTEGER)
NUMBER = Number()
INT = Number(INTEGER)
REAL = Number(FLOAT)
NONE = Plain("None")
TEXT = Plain("str")
SHAPE = Plain("shape")
OTHER = Plain("other")

MAX_OPTIONS = 24
"""Alternatives of one value before it counts as unknown: precision is lost, soundness is not."""


def options(kind: Kind) -> Collection[Kind]:
    """The alternatives of a kind."""
    return kind.options if type(kind) is Union else (kind,)


def in_order(kind: Kind) -> list[Kind]:
    """The alternatives of a kind, in the same order in every process."""
    return sorted(options(kind), key=_text)


def join(a: Kind, b: Kind) -> Kind:
    """The least upper bound of two values: `a` on one path, `b` on another."""
    if a is b or a == b:
        return a
    return join_all((a, b))


def join_all(kinds: Iterable[Kind]) -> Kind:
    """The least kind that covers all of `kinds`."""
    kinds = tuple(kinds)
    if len(kinds) == 1 or (len(kinds) == 2 and kinds[0] is kinds[1]):
        return kinds[0]
    merged: dict[object, Kind] = {}
    for kind in kinds:
        for option in kind.options if type(kind) is Union else (kind,):
            key = _family(option)
            merged[key] = _merge(merged[key], option) if key in merged else option
    if not merged:
        return UNKNOWN
    if len(merged) == 1:
        return next(iter(merged.values()))
    functions = [kind for kind in merged.values() if type(kind) is FunctionRef]
    others = [kind for kind in merged.values() if type(kind) is not FunctionRef]
    if len(others) > MAX_OPTIONS:
        return Union(frozenset((UNKNOWN, *functions))) if functions else UNKNOWN
    return Union(frozenset((*others, *functions)))


@lru_cache(maxsize=20_000)
def _text(kind: Kind) -> str:
    """A sort key for kinds: the same in every process."""
    return repr(kind)


def _family(kind: Kind) -> object:
    """Kinds of one family merge into one; those of different families stay alternatives."""
    if type(kind) in _FAMILIES:
        return type(kind)
    if type(kind) is Module:
        return (Module, kind.cls, kind.path, kind.loops)
    return kind


_FAMILIES = frozenset((Tensor, Sequence, Mapping, Number))


def _merge(a: Kind, b: Kind) -> Kind:
    if a == b:
        return a
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        dtype = a.dtype if a.dtype == b.dtype else FLOAT
        is_loss = (a.is_loss or not a.flow) and (b.is_loss or not b.flow) and (a.is_loss or b.is_loss)
        return Tensor(a.flow or b.flow, dtype, a.is_open or b.is_open, is_loss)
    if isinstance(a, Number) and isinstance(b, Number):
        return NUMBER
    if isinstance(a, Sequence) and isinstance(b, Sequence):
        if a.items is not None and b.items is not None and len(a.items) == len(b.items):
            names = a.names if a.names == b.names else ()
            return Sequence(join(a.item, b.item), tuple(map(join, a.items, b.items)), names)
        return Sequence(join(a.item, b.item))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return Mapping(join(a.value, b.value))
    if isinstance(a, Module) and isinstance(b, Module):
        known = [item for item in (a.item, b.item) if item is not None and item != Module(None)]
        item = join_all(known) if known else a.item or b.item
        return Module(a.cls, a.path, a.origin if a.origin == b.origin else None, item, a.loops)
    return a


def tensor_of(kind: Kind) -> Tensor | None:
    """The tensor that the value is on some path, if any."""
    if type(kind) is Tensor:
        return kind
    if type(kind) is Union:
        for option in kind.options:
            if type(option) is Tensor:
                return option
    return None


def flows(kind: Kind) -> bool:
    """True if a model input flows into the value or something in it."""
    if type(kind) is Tensor:
        return kind.flow
    if type(kind) is Sequence:
        return flows(kind.item) or any(map(flows, kind.items or ()))
    if type(kind) is Mapping:
        return flows(kind.value)
    if type(kind) is Union:
        return any(map(flows, kind.options))
    return type(kind) is InputPart or (type(kind) is Object and kind.flow)


def says_nothing(kind: Kind) -> bool:
    """True if a value is unknown, so that it may be an activation."""
    return any(option == UNKNOWN or type(option) is InputPart for option in options(kind))


def flowing(kind: Kind, flow: bool) -> Kind:
    """The kind with its tensors as activations, or not."""
    if type(kind) is Tensor:
        return Tensor(flow, kind.dtype, kind.is_open)
    if type(kind) is Sequence:
        items = tuple(flowing(item, flow) for item in kind.items) if kind.items is not None else None
        return Sequence(flowing(kind.item, flow), items, kind.names)
    if type(kind) is Mapping:
        return Mapping(flowing(kind.value, flow))
    if type(kind) is Union:
        return join_all(flowing(option, flow) for option in kind.options)
    return kind


def is_plain(kind: Kind) -> bool:
    """True if the value can take no part in tensor arithmetic (a number can)."""
    return all(isinstance(option, Plain | Word | Sequence | Mapping) for option in options(kind))


def modules_of(kind: Kind) -> tuple[Module, ...]:
    """The nn.Module alternatives of a kind."""
    if type(kind) is Union:
        return tuple(option for option in kind.options if type(option) is Module)
    return (kind,) if type(kind) is Module else ()


def modules_inside(kind: Kind) -> Iterator[Module]:
    """The modules that a value is, and those among its items, at any depth."""
    for option in options(kind):
        if isinstance(option, Module):
            yield option
            yield from modules_inside(option.item) if option.item is not None else ()
        elif isinstance(option, Sequence):
            for item in (option.item, *(option.items or ())):
                yield from modules_inside(item)


def sequence_of(kinds: Iterable[Kind]) -> Sequence:
    """The kind of a tuple or list display."""
    items = tuple(kinds)
    return Sequence(join_all(items), items)
