"""The unknowns of the points-to analysis: variables, results, attributes, expressions."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.values.abstract_values import ClassRef


@dataclass(frozen=True, slots=True)
class VariableKey:
    """All bindings of a name in a scope."""

    scope: LexicalScope
    name: str


@dataclass(frozen=True, slots=True)
class ResultKey:
    """The result of calling a function."""

    scope: LexicalScope


@dataclass(frozen=True, slots=True)
class StoredKey:
    """The value of an attribute of a class's instances; of any class if it is None."""

    cls: ClassRef | None
    attribute: str


@dataclass(frozen=True, slots=True)
class KeptKey:
    """Values stored in the object of a scope's variable, or (None) of an attribute of any object."""

    home: LexicalScope | None
    name: str


@dataclass(frozen=True, slots=True)
class OutsideKey:
    """Values of an attribute on other objects than `self`; `of_foreign`: on an object of another package."""

    attribute: str
    of_foreign: bool = False


@dataclass(frozen=True, slots=True)
class ComputedKey:
    """Values that objects of a class get under computed names, for one attribute or (None) for any."""

    holder: ClassRef | str
    attribute: str | None = None


@dataclass(frozen=True, slots=True)
class AttachedKey:
    """Values that code outside gives attributes of objects of a class."""

    holder: ClassRef | str


@dataclass(frozen=True, slots=True)
class GivenKey:
    """The arguments of all calls of a class; those for one field of a dataclass."""

    cls: ClassRef
    field: str | None = None


@dataclass(frozen=True, slots=True)
class GivenObjectsKey:
    """The objects that calls of a function make or name as the argument of a parameter."""

    scope: LexicalScope
    name: str


@dataclass(frozen=True, slots=True)
class WrittenKey:
    """The objects that the project passes to functions of these names, which write them into a file."""

    functions: frozenset[str]


Key = (
    VariableKey
    | ResultKey
    | StoredKey
    | KeptKey
    | OutsideKey
    | ComputedKey
    | AttachedKey
    | GivenKey
    | GivenObjectsKey
    | WrittenKey
    | ast.AST
)
