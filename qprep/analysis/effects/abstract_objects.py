"""Abstract objects: what an expression may refer to, as far as modules, classes and functions are concerned.

A plain container counts as what it holds: a list of layers refers to its layers. Everything else that is no module,
class or function refers to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from qprep.analysis.effects.object_tests import MAX_TESTS, Test, precision, stable_hash, text_hash
from qprep.analysis.effects.python_classes import is_standard
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.places import Place


def _keep_hash(value: object, *parts: object) -> None:
    """Compute the hash of a value once: references are members of many sets.

    It is the same in each process, so sets are gone through in one order and every run takes the same steps.
    """
    object.__setattr__(value, "_hash", hash(tuple(map(stable_hash, parts))))


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a class of the project, or of a subclass of it; `made` is where its constructor is called."""

    cls: ClassRef
    made: Place | None = None
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _keep_hash(self, self.cls, self.made)

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Made:
    """The result of a constructor of another package's class, at a place or (None) anywhere."""

    name: str
    place: Place | None
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _keep_hash(self, self.name, self.place)

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Held:
    """The value of an instance's attribute. `owner` is None if the class is unknown."""

    owner: ClassRef | str | None
    attribute: str | None  # None: any attribute
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _keep_hash(self, self.owner, self.attribute)

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Below:
    """A module below another object: one of its children, or of theirs where it is not direct."""

    owner: Instance | Made | Held | Anything
    is_direct: bool = False
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _keep_hash(self, self.owner, self.is_direct)

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Anything:
    """Any object of the program."""

    def __hash__(self) -> int:
        return 11


@dataclass(frozen=True, slots=True)
class Many:
    """So many objects that they are not followed one by one: what generic code of a large project works on.

    No name is among them; names are followed all the same.
    """

    def __hash__(self) -> int:
        return 12


@dataclass(frozen=True, slots=True)
class Holder:
    """An object of code that qprep does not read; its attributes may be any of its arguments."""

    def __hash__(self) -> int:
        return 14


@dataclass(frozen=True, slots=True)
class HolderOf:
    """An object that code which qprep does not read has made or filled: it may hold an object, or modules below it."""

    owner: Base

    def __hash__(self) -> int:
        return 17 + hash(self.owner)


@dataclass(frozen=True, slots=True)
class ClassObject:
    """A class itself: one of the project, or one of another package by its dotted name."""

    cls: ClassRef | str

    def __hash__(self) -> int:
        return stable_hash(self.cls) ^ 1


@dataclass(frozen=True, slots=True)
class ClassOf:
    """The class of an object of which no class is known; tests on a reference to it are tests on that object."""

    def __hash__(self) -> int:
        return 15


@dataclass(frozen=True, slots=True)
class FunctionObject:
    """A function, method or lambda of the project.

    is_loose  arguments may be bound in front of those of a call
    is_bound  it was fetched from an object, which is its first argument
    """

    scope: LexicalScope
    is_loose: bool = False
    is_bound: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """The object behind a dotted name of another package, or a module of the project."""

    name: str

    def __hash__(self) -> int:
        return text_hash(self.name)


@dataclass(frozen=True, slots=True)
class ChildName:
    """A text that code took from the names of modules, parameters or attributes which there are.

    `of_tensors`: from those of parameters and buffers, of which a module that a fix adds has none. `named`: what is
    known of the module whose name it is.
    """

    of_tensors: bool = False
    named: frozenset[Test] = frozenset()

    def __hash__(self) -> int:
        return 13 + self.of_tensors + (stable_hash(self.named) if self.named else 0)


Base = (
    ChildName
    | Instance
    | Made
    | Held
    | Below
    | Anything
    | HolderOf
    | Many
    | Holder
    | ClassObject
    | ClassOf
    | FunctionObject
    | Named
)


@dataclass(frozen=True, slots=True)
class Reference:
    """An abstract object, narrowed by the conditions that held where it was reached."""

    base: Base
    tests: frozenset[Test] = frozenset()
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        tests = stable_hash(self.tests) if self.tests else 0
        object.__setattr__(self, "_hash", hash(self.base) ^ tests)

    def __hash__(self) -> int:
        return self._hash

    def narrowed(self, tests: Iterable[Test]) -> Reference:
        """The same object where further conditions hold."""
        every = self.tests.union(tests)
        if len(every) > MAX_TESTS:
            every = frozenset(sorted(every, key=precision)[:MAX_TESTS])
        return self if every == self.tests else replace(self, tests=every)


References = frozenset[Reference]
NOTHING: References = frozenset()
ANYTHING = Reference(Anything())
CHILD_NAME = Reference(ChildName())
HOLDER: References = frozenset((Reference(Holder()),))
TENSOR_NAME = Reference(ChildName(of_tensors=True))


MAX_OBJECTS = 96
"""Objects that one expression may refer to before places are forgotten: instances then count by their classes."""
MAX_CLASSES = 400
"""Objects without places before they are no longer followed; `docs/soundness.md` says what that leaves out."""

ANY_OBJECT: References = frozenset((ANYTHING,))
MANY = Reference(Many())
MANY_OBJECTS: References = frozenset((MANY,))
MANY_WITH_NAMES: References = frozenset((MANY, CHILD_NAME))
_WIDE: References = frozenset((ANYTHING, MANY))


def may_be_of(references: References, family: Collection[ClassRef] | str) -> bool:
    """True if one of several objects may be of a family of classes, or of a class of another package by its name.

    What an attribute holds counts by the objects that the project gives it, where it gives it any.
    """
    is_known = has_held = False
    for reference in references:
        match reference.base:
            case Instance(cls=cls):
                if not isinstance(family, str) and cls in family:
                    return True
                is_known = True
            case Made(name=name):
                if name == family:
                    return True
                is_known = True
            case ClassObject(cls=cls):
                if cls == family if isinstance(family, str) else cls in family:
                    return True
            case Held():
                has_held = True
            case Below():
                if not (isinstance(family, str) and is_standard(family)):  # it is a module, no object of Python's own
                    return True
            case Anything() | Many():
                return True
    return has_held and not is_known


def widened(references: References) -> References:
    """The same objects, or more of them in fewer words; any object takes in all others, many take in all but names."""
    if not _WIDE.isdisjoint(references):  # which asks for no hash anew
        return ANY_OBJECT if ANYTHING in references else _many(references)
    if len(references) <= MAX_OBJECTS:
        return references
    placed = [each for each in references if _is_placed(each.base)]
    without = references.difference(placed).union(map(_unplaced, placed)) if placed else references
    return _many(without) if len(without) > MAX_CLASSES else without


def is_complete(references: References) -> bool:
    """True if no other object or name can be added."""
    if _WIDE.isdisjoint(references):
        return False
    return ANYTHING in references or (MANY in references and CHILD_NAME in references)


def _many(references: References) -> References:
    if CHILD_NAME in references:
        return MANY_WITH_NAMES
    return MANY_OBJECTS | {each for each in references if isinstance(each.base, ChildName)}


@lru_cache(maxsize=1 << 16)  # computed anew for each growth of a set
def _unplaced(reference: Reference) -> Reference:
    return Reference(_without_place(reference.base), reference.tests)


def _is_placed(base: Base) -> bool:
    """True if an object is made at a place, or lies below one that is."""
    match base:
        case Instance(made=place) | Made(place=place):
            return place is not None
        case Below(owner=Instance() | Made() as owner):
            return _is_placed(owner)
    return False


def _without_place(base: Base) -> Base:
    """An object made anywhere, for one made at a place."""
    match base:
        case Instance(cls=cls):
            return Instance(cls)
        case Made(name=name):
            return Made(name, None)
        case Below(owner=Instance() | Made() as owner, is_direct=is_direct):
            return Below(_without_place(owner), is_direct)  # type: ignore[arg-type]
    return base
