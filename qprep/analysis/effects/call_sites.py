"""Calls of functions and their arguments: by name, through variables, parameters and attributes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar

from qprep.analysis.effects import decorations, silent_calls
from qprep.analysis.effects.abstract_objects import (
    Anything,
    Below,
    ClassObject,
    FunctionObject,
    Instance,
    Made,
    Many,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.call_arguments import bound, is_bound_method, parameters
from qprep.analysis.effects.call_uses import Argument, Derived, Meanings, Uses
from qprep.analysis.effects.lexical_scopes import BindingKind, FileScopes, LexicalScope, is_super
from qprep.analysis.effects.object_parameters import takes_objects
from qprep.analysis.effects.object_queries import ObjectQueries
from qprep.analysis.effects.use_search import DecoratedSearch, InstanceSearch, UseSearch
from qprep.analysis.effects.value_search import ValueSearch
from qprep.analysis.symbols.ast_utils import argument_values
from qprep.analysis.values.abstract_values import ClassRef

_Decorated = tuple["LexicalScope", str, Reference]
T = TypeVar("T")
U = TypeVar("U")


class CallGraph:
    """The call sites of each function, found when they are needed."""

    def __init__(self, points_to: ObjectQueries) -> None:
        self._points_to = points_to
        # What each search that comes by a call or a variable asks again; it follows from the tree alone.
        self._bound: dict[tuple[ast.Call, LexicalScope, ast.expr], list[str]] = {}
        self._reads: dict[tuple[LexicalScope, str], list[ast.Name]] = {}
        self._grouped: dict[str, tuple[Any, dict[LexicalScope, dict[Any, None]]]] = {}

    def meanings(self, name: str) -> Meanings:
        """The possible values of each read of a name."""
        return self._points_to.derived(Derived("meanings", name), lambda: self._find_meanings(name), Meanings())

    def _find_meanings(self, name: str) -> Meanings:
        found = Meanings()
        for node, file in self._points_to.names.loads(self._points_to, name):
            self._read(node, file, found)
        return found

    def _read(self, node: ast.Name | ast.Attribute, file: FileScopes, found: Meanings) -> None:
        scope = file.scope_of(node)
        receiver = self._points_to.known(node.value, scope) if isinstance(node, ast.Attribute) else frozenset()
        if receiver is None:
            return
        references = (
            self._points_to.attribute(receiver, node.attr)
            if isinstance(node, ast.Attribute) and not is_super(node.value, scope)
            else self._points_to.of(node, scope)
        )
        is_known = any(isinstance(each.base, Instance | ClassObject | Named) for each in receiver)
        for reference in references:
            if isinstance(reference.base, FunctionObject):
                found.functions[reference.base.scope][node, file] = None
                is_known = True
            elif isinstance(reference.base, ClassObject) and isinstance(reference.base.cls, ClassRef):
                found.classes[reference.base.cls][node, file] = None
                is_known = True
        if isinstance(node, ast.Attribute) and not is_known:
            found.unknown[node, file] = None

    def decorated(self, function: LexicalScope) -> dict[tuple[str, Reference], None]:
        """The classes and functions that a function decorates, each with the parameter that gets it."""
        empty: dict[tuple[str, Reference], None] = {}
        return self._points_to.derived(Derived("decorated", function), lambda: self._decorated(function), empty)

    def _decorated(self, function: LexicalScope) -> dict[tuple[str, Reference], None]:
        empty: dict[_Decorated, None] = {}
        every = self._points_to.derived(Derived("decorations"), self._find_decorations, empty)
        return self._by_function("decorations", every).get(function, {})

    def _find_decorations(self) -> dict[_Decorated, None]:
        """The functions that decorate anything, the parameters that get it, and the classes and functions."""
        found: dict[_Decorated, None] = {}
        for file in self._points_to.names.decorating_files(self._points_to):
            for node in decorations.definitions(file.index):
                made = decorations.defined(node, file)
                for decorator in node.decorator_list if made is not None else ():
                    for function, name in self.run_as_decorator(decorator, file.scope_of(node)):
                        assert made is not None
                        found[function, name, Reference(made)] = None
        return found

    def run_as_decorator(self, decorator: ast.expr, scope: LexicalScope) -> Iterator[tuple[LexicalScope, str]]:
        """The functions that run where a definition has a decorator, and their parameters that get the definition."""
        if isinstance(decorator, ast.Call):
            names = [each.base for each in self._points_to.of(decorator.func, scope)]
            if names and all(isinstance(n, Named) and n.name.startswith(silent_calls.COPIES_NAMES) for n in names):
                return
        for reference in self._points_to.of(decorator, scope):
            for function in decorations.run_by(reference, self._points_to.method):
                yield from ((function, name) for name in decorations.parameters(reference, function))

    def computed_reads(self, scope: LexicalScope) -> dict[tuple[ast.Call, FileScopes], None]:
        """The calls `getattr(x, name)` of a computed name that may fetch a method."""
        empty: dict[tuple[ast.Call, FileScopes], None] = {}
        return self._points_to.derived(Derived("computed reads", scope), lambda: self._computed_reads(scope), empty)

    def _computed_reads(self, scope: LexicalScope) -> dict[tuple[ast.Call, FileScopes], None]:
        empty: dict[tuple[LexicalScope, ast.Call, FileScopes], None] = {}
        every = self._points_to.derived(Derived("computed reads"), self._find_computed_reads, empty)
        return self._by_function("computed reads", every).get(scope, {})

    def _module_calls(self, forward: LexicalScope) -> dict[tuple[ast.Call, FileScopes], None]:
        """The calls of modules that run a `forward`: `self.block(x)`."""
        empty: dict[tuple[LexicalScope, ast.Call, FileScopes], None] = {}
        every = self._points_to.derived(Derived("module calls"), self._find_module_calls, empty)
        return self._by_function("module calls", every).get(forward, {})

    def _find_module_calls(self) -> dict[tuple[LexicalScope, ast.Call, FileScopes], None]:
        found: dict[tuple[LexicalScope, ast.Call, FileScopes], None] = {}
        for call, file in self._calls_of_objects:
            for reference in self._points_to.known(call.func, file.scope_of(call)) or ():
                if isinstance(reference.base, Instance):
                    for method in self._points_to.method(reference.base.cls, "forward"):
                        found[method, call, file] = None
        return found

    @cached_property
    def _calls_of_objects(self) -> list[tuple[ast.Call, FileScopes]]:
        """The calls with arguments, except for those of functions and classes by their names, and of methods."""
        files = (file for module in self._points_to.modules if (file := self._points_to.file(module)) is not None)
        return [
            (call, file)
            for file in files
            for call in file.index.of(ast.Call)
            if (call.args or call.keywords) and self._may_be_object(call.func, file)
        ]

    def _may_be_object(self, func: ast.expr, file: FileScopes) -> bool:
        match func:
            case ast.Name(id=name):
                home = file.scope_of(func).binder(name)
                kinds = {binding.kind for binding in home.bindings[name]} if home is not None else set()
                return not kinds <= {BindingKind.IMPORT, BindingKind.DEFINITION}
            case ast.Attribute(attr=name):
                return any(True for _ in self._points_to.names.holders(name))
        return True

    def _by_function(
        self, kind: str, every: dict[tuple[LexicalScope, T, U], None]
    ) -> dict[LexicalScope, dict[tuple[T, U], None]]:
        """Results of one kind by the function that each is of; a result that grows is another object."""
        known, groups = self._grouped.get(kind, (None, {}))
        if known is not every:
            groups = {}
            for function, first, second in every:
                groups.setdefault(function, {})[first, second] = None
            self._grouped[kind] = every, groups
        return groups

    def _find_computed_reads(self) -> dict[tuple[LexicalScope, ast.Call, FileScopes], None]:
        found: dict[tuple[LexicalScope, ast.Call, FileScopes], None] = {}
        for node, file in self._points_to.names.lookups(self._points_to):
            for reference in self._points_to.of(node, file.scope_of(node)):
                if isinstance(reference.base, FunctionObject):
                    found[reference.base.scope, node, file] = None
        return found

    def decorated_methods(self, function: LexicalScope) -> Iterator[ClassRef]:
        """The classes of the methods that a function around this one decorates: this one may stand in their place."""
        empty: dict[tuple[LexicalScope, ClassRef], None] = {}
        decorating = self._points_to.derived(Derived("method decorators"), self._find_method_decorators, empty)
        around = function.parent
        while around is not None:
            yield from (cls for decorator, cls in decorating if decorator is around)
            around = around.parent

    def _find_method_decorators(self) -> dict[tuple[LexicalScope, ClassRef], None]:
        """The functions that decorate methods, or make what does, with the classes of these."""
        found: dict[tuple[LexicalScope, ClassRef], None] = {}
        for cls, decorator, scope in self._points_to.names.method_decorators(self._points_to):
            for reference in self._points_to.of(decorator, scope):
                match reference.base:
                    case FunctionObject(scope=made):
                        found[made, cls] = None
                    case ClassObject(cls=ClassRef() as kind) | Instance(cls=kind):
                        for made in self._points_to.method(kind, "__call__"):
                            found[made, cls] = None
        return found

    def receivers(self, scope: LexicalScope) -> Iterator[Argument]:
        """The classes or objects in whose attributes a function is stored: `Net.forward = function`."""
        yield from self._of(scope).stored

    def is_unknown(self, scope: LexicalScope) -> bool:
        """True if a function may be called with anything: it is kept somewhere that is not followed."""
        return self._of(scope).unknown

    def arguments(self, scope: LexicalScope, name: str) -> Iterator[Argument]:
        """The expressions that calls give a parameter."""
        uses = self._of(scope)
        for call, where in uses.direct:
            for value in bound(call, scope, name, self.shifts(call, where, scope)):
                yield value, where
        for call, where in uses.loose:
            yield from ((value, where) for value in argument_values(call))
        if scope.name == "forward" and takes_objects(self._points_to, scope, name):
            for call, file in self._module_calls(scope):
                yield from ((value, file.scope_of(call)) for value in bound(call, scope, name, (1,)))

    def implicit_arguments(self, scope: LexicalScope) -> References:
        """Additional arguments of callbacks by functions of other packages: the modules of their receiver."""
        found: set[Reference] = set()
        for call, where in self._of(scope).loose:
            if isinstance(call.func, ast.Attribute):
                for reference in self._points_to.of(call.func.value, where):
                    if isinstance(reference.base, Instance | Made):
                        found |= {reference, Reference(Below(reference.base))}
                    elif not isinstance(reference.base, Named | ClassObject | FunctionObject):
                        found.add(reference)
        return frozenset(found)

    def bound_names(self, call: ast.Call, scope: LexicalScope, value: ast.expr) -> list[str]:
        """The parameters of a function that a call may bind one of its arguments to."""
        key = (call, scope, value)
        if key not in self._bound:
            shifts = (1, 0) if is_bound_method(scope) else (0,)
            names = parameters(scope)
            self._bound[key] = [n for n in names if any(found is value for found in bound(call, scope, n, shifts))]
        return self._bound[key]

    def reads(self, scope: LexicalScope, name: str) -> list[ast.Name]:
        """Every read of a variable of a scope, in it and in the functions inside it."""
        if (scope, name) not in self._reads:
            found = self._points_to.names.reads(scope.file, name)
            self._reads[scope, name] = [node for node in found if scope.file.scope_of(node).binder(name) is scope]
        return self._reads[scope, name]

    def parameters_of(self, call: ast.Call, where: LexicalScope, scope: LexicalScope, value: ast.expr) -> list[str]:
        """The same, for a call in a scope, by what is known of its callee."""
        shifts = self.shifts(call, where, scope)
        return [n for n in parameters(scope) if any(found is value for found in bound(call, scope, n, shifts))]

    def shifts(self, call: ast.Call, where: LexicalScope, scope: LexicalScope) -> tuple[int, ...]:
        """The number of parameters in front of the first argument's: `self`, if the call is of a class
        or of a method of an object."""
        if not is_bound_method(scope):
            return (0,)
        if not isinstance(call.func, ast.Attribute):
            bases = [reference.base for reference in self._points_to.of(call.func, where)]
            functions = [base for base in bases if isinstance(base, FunctionObject) and base.scope is scope]
            bound = {1 if each.is_bound else 0 for each in functions}
            return (1, 0) if len(bound) > 1 or any(each.is_loose for each in functions) else (*bound,) or (1,)
        if self._is_own_object(call.func.value, where):
            return (1,)  # before its value is known, which may be asked for on the way to this very call
        bases = [reference.base for reference in self._points_to.of(call.func.value, where)]
        may_be_class = any(isinstance(base, ClassObject | Anything | Many) for base in bases)
        return (1,) if any(isinstance(base, Instance) for base in bases) and not may_be_class else (1, 0)

    def _is_own_object(self, node: ast.expr, where: LexicalScope) -> bool:
        """True if an expression is `self` in a method of a class that makes no classes."""
        home = where.binder(node.id) if isinstance(node, ast.Name) else None
        if home is None or not isinstance(node, ast.Name) or home.receiver != node.id or home.owner is None:
            return False
        return len(home.bindings[node.id]) == 1 and not self._points_to.is_metaclass(home.owner)

    def uses(self, scope: LexicalScope) -> Uses:
        """A call of a function."""
        return self._of(scope)

    def uses_of(self, method: ast.Attribute, file: FileScopes) -> Uses:
        """The calls of a method that an expression fetches from an object of no class of the project."""
        key = Derived("uses of", method)
        return self._points_to.derived(key, lambda: ValueSearch(self._points_to, method, file).uses, Uses())

    def uses_of_instances(self, cls: ClassRef) -> Uses:
        """The calls of the objects of a class."""
        key = Derived("uses of instances", cls)
        return self._points_to.derived(key, lambda: InstanceSearch(self._points_to, cls).uses, Uses())

    def uses_of_decorated(self, decorator: LexicalScope, name: str) -> Uses:
        """The calls of what a decorator gets in a parameter, whichever definition that is."""
        key = Derived("uses of decorated", (decorator, name))
        return self._points_to.derived(key, lambda: DecoratedSearch(self._points_to, decorator, name).uses, Uses())

    def _of(self, scope: LexicalScope) -> Uses:
        return self._points_to.derived(Derived("uses", scope), lambda: UseSearch(self._points_to, scope).uses, Uses())
