"""Follows a function from where it is defined to where it is called."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import FunctionObject
from qprep.analysis.effects.item_paths import ANYWHERE
from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
from qprep.analysis.effects.object_queries import ObjectQueries
from qprep.analysis.effects.value_search import ValueSearch
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import ClassRef

_OF_CLASSES = frozenset(("__call__", "__init__", "__new__"))


class UseSearch(ValueSearch):
    """Follows a function from where it is defined to where it is called."""

    def __init__(self, points_to: ObjectQueries, scope: LexicalScope) -> None:
        # Classes, and what a decorator makes, may have items.
        is_itself = scope.name not in _OF_CLASSES and not getattr(scope.node, "decorator_list", ())
        self._begin(points_to, () if is_itself else ANYWHERE)
        self.scope = scope
        self._start()
        self._run()

    def _start(self) -> None:
        scope = self.scope
        if isinstance(scope.node, ast.Lambda):
            self._add(scope.node, scope.file)
            return
        meanings = self.points_to.calls.meanings
        for node, file in meanings(scope.name).reads_of(scope):
            self._add(node, file)
        owner = scope.owner
        for call, file in self.points_to.calls.computed_reads(scope) if owner is not None else ():
            self._add(call, file)
        if scope.name in ("__init__", "__new__") and owner is not None:
            made = (owner, *self.points_to.project.subclasses(owner))
            for cls in (each for each in made if scope in self.points_to.first_method(each, scope.name)):
                for node, file in meanings(short_name(cls)).classes.get(cls, ()):
                    self._add(node, file)
                self._decorated_class(cls)
        if scope.name == "__call__" and owner is not None:
            for cls in self.points_to.family(owner):
                self.uses |= self.points_to.calls.uses_of_instances(cls)
        for decorator in getattr(scope.node, "decorator_list", ()):
            self._decorated(decorator, scope)

    def _decorated_class(self, cls: ClassRef) -> None:
        """A decorator of the project is called with the class."""
        file = self.points_to.file(cls.module)
        entry = file.index.classes.get(cls.name) if file is not None else None
        if file is None or entry is None:
            return
        for decorator in entry.node.decorator_list:
            for function, name in self.points_to.calls.run_as_decorator(decorator, file.scope_of(entry.node)):
                self._follow_decorated(function, name)

    def _decorated(self, decorator: ast.expr, scope: LexicalScope) -> None:
        """A decorator of the project is called with the function."""
        if scope.parent is None:
            return
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name):
            home = scope.parent.binder(named.value.id)  # `@function.register`: calls of that function may run this one
            if home is not None:
                self._follow_variable(home, named.value.id)
            if home is not None and isinstance(home.node, ast.ClassDef):  # of a method, which objects have
                self._follow_attribute(named.value.id)
        for function, name in self.points_to.calls.run_as_decorator(decorator, scope.parent):
            self._follow_decorated(function, name)

    def _follow_decorated(self, decorator: LexicalScope, name: str) -> None:
        """Add the uses of everything that a decorator gets, and those of the name that has its result."""
        found = self.points_to.calls.uses_of_decorated(decorator, name)
        self.uses |= found
        for self._path, self._is_wrapped in found.named:
            self._follow_definition()

    def _follow_definition(self) -> None:
        scope = self.scope
        if scope.name not in _OF_CLASSES:  # the reads of a class are followed from the beginning
            for node, file in self.points_to.calls.meanings(scope.name).reads_of(scope):
                self._add(node, file)

    def _is_read_of(self, node: ast.Name | ast.Attribute, file: FileScopes, variable: str) -> bool:
        found = self.points_to.of(node, file.scope_of(node))
        return any(isinstance(r.base, FunctionObject) and r.base.scope is self.scope for r in found)

    def _is_itself(self, function: LexicalScope) -> bool:
        return function is self.scope


class DecoratedSearch(ValueSearch):
    """Follows whatever a decorator is called with; shared by all definitions that it decorates."""

    def __init__(self, points_to: ObjectQueries, decorator: LexicalScope, name: str) -> None:
        self._begin(points_to, ANYWHERE)
        self._enter(decorator, name, None, None, decorator.file)
        self._run()

    def _follow_definition(self) -> None:
        self.uses.named[self._path, self._is_wrapped] = None


class InstanceSearch(ValueSearch):
    """Follows the objects of a class: from where they are made, and as `self` from its methods."""

    def __init__(self, points_to: ObjectQueries, cls: ClassRef) -> None:
        self._begin(points_to, ANYWHERE)
        for node, file in points_to.calls.meanings(short_name(cls)).classes.get(cls, ()):
            parent = file.parents.get(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                self._add(parent, file)
        file_of_class = points_to.file(cls.module)
        for method in file_of_class.functions() if file_of_class is not None else ():
            if method.receiver is not None and method.owner == cls:
                for read in points_to.calls.reads(method, method.receiver):
                    if not isinstance(method.file.parents.get(read), ast.Attribute):
                        self._add(read, method.file)
        self._run()


def short_name(cls: ClassRef) -> str:
    """The name that code around a class reads it by."""
    return DefinitionName.parse(cls.name).name
