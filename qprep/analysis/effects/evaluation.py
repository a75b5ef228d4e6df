"""The points-to analysis as the parts of its evaluation see it: definitions, stores, and values by their keys."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import NOTHING, ClassObject, References
from qprep.analysis.effects.definitions import Definitions
from qprep.analysis.effects.fixpoint import Fixpoint
from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope, assigned_value
from qprep.analysis.effects.reference_sets import classes_in
from qprep.analysis.effects.stored_values import StoreTable
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from qprep.analysis.effects.call_sites import CallGraph
    from qprep.analysis.effects.implicit_calls import ImplicitCalls
    from qprep.analysis.places import Place
    from qprep.analysis.symbols.module_resolver import Project


Assignment = tuple[ast.Attribute, LexicalScope, ast.expr | None]


class Evaluation(Definitions, Fixpoint):
    """The values of a project as the files that compute them see it. They get other values by their keys."""

    calls: CallGraph
    implicit: ImplicitCalls

    def __init__(
        self,
        project: Project,
        modules: Iterable[str],
        may_hold: Callable[[ClassRef, str], bool],
        has_own: Callable[[ClassRef, str], bool],
    ) -> None:
        Definitions.__init__(self, project, modules)
        Fixpoint.__init__(self)
        self.class_may_hold = may_hold
        self.has_own = has_own
        self.local_bodies: dict[ClassRef, tuple[LexicalScope, ...]] = {}
        self.held_names: dict[str, bool] = {}
        self.stored_parameters: dict[str, list[tuple[ClassRef, LexicalScope, str]]] = {}  # by the attribute's name
        self.getters: dict[Place, ast.Call] = {}  # the calls of `attrgetter` that are evaluated, by their places
        self.assigned_names: dict[LexicalScope, frozenset[str]] = {}
        # What follows from the trees alone, and is asked again with each growth of a value.
        self._assignments: dict[str, list[Assignment]] = {}
        self._own_classes: dict[ast.Attribute, tuple[bool, ClassRef | None]] = {}
        self.adding_calls: dict[str, list[tuple[ast.Attribute, ast.Call, FileScopes]]] = {}
        self.calls_adding_to: dict[tuple[LexicalScope, str], list[tuple[ast.Name, ast.Call]]] = {}

    @cached_property
    def stores(self) -> StoreTable:
        """Values that the project stores in objects without a plain assignment."""
        return StoreTable(file for module in self.modules if (file := self.file(module)) is not None)

    @cached_property
    def registering(self) -> list[tuple[ast.expr, LexicalScope]]:
        """The objects whose method `register` the project fetches: classes may be told their virtual subclasses."""
        files = (file for module in self.modules if (file := self.file(module)) is not None)
        nodes = [(node, file) for file in files for node in file.index.of(ast.Attribute) if node.attr == "register"]
        return [(node.value, file.scope_of(node)) for node, file in nodes]

    def has_virtual_subclasses(self, cls: ClassRef) -> bool:
        """True if the project may register other classes as subclasses of a class."""
        return any(cls in classes_in(self.get(node, scope)) for node, scope in self.registering)

    def metaclass_objects(self, cls: ClassRef) -> References:
        """The objects that `metaclass=` of a class and its bases may refer to."""
        found = NOTHING
        for base in self.project.mro(cls):
            entry = self.project.class_node(base) if isinstance(base, ClassRef) else None
            inner = self.body(base) if isinstance(base, ClassRef) else None
            for keyword in entry.node.keywords if entry is not None else ():
                if keyword.arg == "metaclass" and inner is not None and inner.parent is not None:
                    found |= self.get(keyword.value, inner.parent)
        return found

    def metaclasses(self, cls: ClassRef) -> set[ClassRef | str]:
        """The metaclasses that a class and its bases name: of the project, or of other packages by their names."""
        bases = (reference.base for reference in self.metaclass_objects(cls))
        return {base.cls if isinstance(base, ClassObject) else getattr(base, "name", "?") for base in bases}

    @cached_property
    def set_outside_of_methods(self) -> list[tuple[ast.expr, ast.Attribute, LexicalScope]]:
        """The values that code gives attributes of other objects than `self`, and where."""
        files = (file for module in self.modules if (file := self.file(module)) is not None)
        stores = (
            (node, file.scope_of(node)) for file in files for node in file.index.of(ast.Attribute) if _is_store(node)
        )
        return [
            (value, node, scope)
            for node, scope in stores
            if not self.is_own(node, scope) and (value := assigned_value(node, scope.file.parents)) is not None
        ]

    def assignments(self, attribute: str) -> list[Assignment]:
        """Every assignment to an attribute of this name, with the value; None where it is not an expression."""
        if attribute not in self._assignments:
            stores = self.names.stores(self, attribute)
            found = [(node, scope, assigned_value(node, scope.file.parents)) for node, scope in stores]
            self._assignments[attribute] = found
        return self._assignments[attribute]

    def own_class(self, node: ast.Attribute, scope: LexicalScope) -> tuple[bool, ClassRef | None]:
        """The class of the method in which an attribute is one of `self`: (True, class); elsewhere (False, None)."""
        if node not in self._own_classes:
            is_own = self.is_own(node, scope)
            self._own_classes[node] = is_own, self.enclosing_class(scope) if is_own else None
        return self._own_classes[node]

    def of(self, node: ast.expr, scope: LexicalScope) -> References:
        """The objects that an expression in a scope may refer to."""
        return self.get(node, scope)

    def receiver(self, scope: LexicalScope) -> str | None:
        """The name of `self` in the method around a scope."""
        method = _method_around(scope)
        return method.receiver if method is not None else None

    def enclosing_class(self, scope: LexicalScope) -> ClassRef | None:
        """The class of the method around a scope."""
        method = _method_around(scope)
        return method.owner if method is not None else None

    def is_own(self, node: ast.Attribute, scope: LexicalScope) -> bool:
        """True if an attribute is one of `self` in a method."""
        return isinstance(node.value, ast.Name) and node.value.id == self.receiver(scope)


def _is_store(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def _method_around(scope: LexicalScope) -> LexicalScope | None:
    """The nearest scope that has an object of its own: the method that a scope is, or is inside."""
    current: LexicalScope | None = scope
    while current is not None and current.receiver is None:
        current = current.parent
    return current
