"""The questions that files below the points-to analysis put to it, as protocols."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Protocol

from qprep.analysis.effects.abstract_objects import Reference, References
from qprep.analysis.effects.call_uses import Derived, Meanings, T, Uses
from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
from qprep.analysis.effects.name_table import NameTable
from qprep.analysis.effects.stored_values import StoreTable
from qprep.analysis.symbols.module_resolver import Project
from qprep.analysis.values.abstract_values import ClassRef


class CallQueries(Protocol):
    """The call graph as searches ask it; `CallGraph` is the implementation."""

    def meanings(self, name: str) -> Meanings:
        """The possible values of each read of a name."""
        ...

    def uses(self, scope: LexicalScope) -> Uses:
        """The calls of a function."""
        ...

    def uses_of_instances(self, cls: ClassRef) -> Uses:
        """The calls of the objects of a class."""
        ...

    def uses_of_decorated(self, decorator: LexicalScope, name: str) -> Uses:
        """The calls of what a decorator gets in a parameter, whichever definition that is."""
        ...

    def reads(self, scope: LexicalScope, name: str) -> list[ast.Name]:
        """Every read of a variable of a scope, in it and in the functions inside it."""
        ...

    def bound_names(self, call: ast.Call, scope: LexicalScope, value: ast.expr) -> list[str]:
        """The parameters of a function that a call may bind one of its arguments to."""
        ...

    def decorated(self, function: LexicalScope) -> dict[tuple[str, Reference], None]:
        """The classes and functions that a function decorates, each with the parameter that gets it."""
        ...

    def run_as_decorator(self, decorator: ast.expr, scope: LexicalScope) -> Iterator[tuple[LexicalScope, str]]:
        """The functions that run where a definition has a decorator, and their parameters that get the definition."""
        ...

    def computed_reads(self, scope: LexicalScope) -> dict[tuple[ast.Call, FileScopes], None]:
        """The calls `getattr(x, name)` of a computed name that may fetch a method."""
        ...


class MethodQueries(Protocol):
    """Classes, their methods and metaclasses; `Evaluation` is the implementation."""

    project: Project

    def method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method that an instance of a class, or of a subclass, may run."""
        ...

    def metaclasses(self, cls: ClassRef) -> set[ClassRef | str]:
        """The metaclasses that a class and its bases name: of the project, or of other packages by their names."""
        ...

    def has_virtual_subclasses(self, cls: ClassRef) -> bool:
        """True if the project may register other classes as subclasses of a class."""
        ...


class ObjectQueries(MethodQueries, Protocol):
    """The points-to analysis as call sites ask it; `PointsTo` is the implementation."""

    modules: tuple[str, ...]
    names: NameTable

    @property
    def calls(self) -> CallQueries:
        """The call sites of each function."""
        ...

    @property
    def stores(self) -> StoreTable:
        """Values that the project stores in objects without a plain assignment."""
        ...

    def family(self, cls: ClassRef) -> frozenset[ClassRef]:
        """A class, its bases and its subclasses, as far as the project defines them."""
        ...

    def file(self, module: str) -> FileScopes | None:
        """The scopes of a file of the project."""
        ...

    def of(self, node: ast.expr, scope: LexicalScope) -> References:
        """The objects that an expression may refer to."""
        ...

    def known(self, node: ast.expr, scope: LexicalScope) -> References | None:
        """The same; None while it may still become known."""
        ...

    def derived(self, key: Derived, compute: Callable[[], T], empty: T) -> T:
        """A result that is computed from what expressions may refer to; later ones are merged with it by `|`."""
        ...

    def attribute(self, owners: References, name: str) -> References:
        """The objects that an attribute of some objects may refer to."""
        ...

    def first_method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method in the class nearest to `cls` that has any."""
        ...

    def is_metaclass(self, cls: ClassRef) -> bool:
        """True if the instances of a class are classes."""
        ...

    def may_keep_items(self, cls: ClassRef) -> bool:
        """True if instances of a class, or of a subclass, may be containers, which count as what is put into them."""
        ...
