"""Sets of abstract objects: their union, and the classes among them."""

from __future__ import annotations

from collections.abc import Iterable

from qprep.analysis.effects.abstract_objects import (
    Anything,
    Base,
    ChildName,
    ClassObject,
    FunctionObject,
    Holder,
    Instance,
    Made,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.values.abstract_values import ClassRef

_KEEPS_NOTHING = (
    "builtins.", "json.", "math.", "numpy.", "os.", "pathlib.", "qprep.", "random.", "re.", "shutil.", "time.",
    "torch.", "typing.",
)  # fmt: skip
_VALUE_CLASSES = frozenset(
    [*(f"builtins.{name}" for name in ("bool", "bytes", "complex", "float", "int", "str")), "numbers.Integral",
     "numbers.Number", "numbers.Real", "torch.Tensor"]
)  # fmt: skip


def union(parts: Iterable[References]) -> References:
    """All objects of several sets."""
    return frozenset().union(*parts)


def classes_in(references: Iterable[Reference]) -> set[ClassRef]:
    """The classes of the project among some objects."""
    bases = (reference.base for reference in references)
    return {base.cls for base in bases if isinstance(base, ClassObject) and isinstance(base.cls, ClassRef)}


def classes_of(references: Iterable[Reference]) -> set[ClassRef]:
    """The classes of the project of some objects."""
    return {reference.base.cls for reference in references if isinstance(reference.base, Instance)}


def is_holder(base: Base) -> bool:
    """True if an object comes from code that is not given and may keep what it is given as attributes."""
    return isinstance(base, Holder) or (isinstance(base, Made) and not base.name.startswith(("torch.", "qprep.")))


def is_followed(callee: Reference) -> bool:
    """True if what a call does with its arguments is seen in its own code, or known: torch keeps none."""
    base = callee.base
    if isinstance(base, Named | Made):
        return base.name.startswith(_KEEPS_NOTHING)
    if isinstance(base, ClassObject) and isinstance(base.cls, str):
        return base.cls.startswith(_KEEPS_NOTHING)
    return isinstance(base, FunctionObject | ClassObject | Instance)


def are_values(classes: frozenset[ClassRef | str] | None) -> bool:
    """True if all of several classes are of numbers, texts and tensors, which hold no other objects."""
    return bool(classes) and all(isinstance(each, str) and each in _VALUE_CLASSES for each in classes or ())


def may_be_listed(references: References) -> bool:
    """True if a text may come from a listing of names: taken from one, or made by a function that got a module."""
    return any(isinstance(each.base, ChildName | Anything) for each in references)


def without_place(base: Base) -> Base:
    """An instance wherever it is made: its attributes are those of its class."""
    return Instance(base.cls) if isinstance(base, Instance) and base.made is not None else base


def as_bound(methods: Iterable[LexicalScope]) -> References:
    """Methods that are fetched from an object."""
    return frozenset(
        Reference(FunctionObject(method, is_bound=not method.has_decorator("staticmethod"))) for method in methods
    )
