"""Methods that a base class of another package calls: `json.JSONEncoder.default`, `logging.Handler.emit`.

Code of such a package may give them any object that the project gives to the package: to its functions, or to inherited
methods of the object.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Instance
from qprep.analysis.effects.call_uses import Derived
from qprep.analysis.effects.lexical_scopes import is_super
from qprep.analysis.symbols.ast_utils import argument_values, dotted_text
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import External

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.object_queries import ObjectQueries
    from qprep.analysis.values.abstract_values import ClassRef

# The classes of these call no method of their own objects that the analysis does not know of.
_CALLS_NOTHING = frozenset(("?", "abc", "builtins", "dataclasses", "enum", "torch", "types", "typing"))
# The functions of these call no method of the objects that they get.
_ONLY_INHERITED = frozenset(("collections",))
# What Python itself runs; the arguments are those of the project's own expressions.
_IS_OWN = ("__init__", "__new__")

_Call = tuple[ast.Call, "FileScopes"]


class BaseClassCalls:
    """The objects that the project gives to packages whose classes it inherits from."""

    def __init__(self, points_to: ObjectQueries) -> None:
        self._points_to = points_to
        self._packages: dict[ClassRef, frozenset[str]] = {}
        self._grouped: tuple[object, dict[ClassRef, list[_Call]]] = (None, {})

    def may_call(self, method: LexicalScope, cls: ClassRef) -> bool:
        """True if a base class of another package may call a method of a class."""
        return method.name not in _IS_OWN and bool(self._bases(cls))

    def arguments(self, method: LexicalScope, cls: ClassRef) -> Iterator[tuple[ast.expr, LexicalScope]]:
        """The expressions whose values a base class may give a method."""
        if not self.may_call(method, cls):
            return
        packages = self._bases(cls)
        for package in sorted(packages - _ONLY_INHERITED):
            for call, file in self._calls_of_packages.get(package, ()):
                yield from _arguments(call, file)
        yield from self._given_to_class(cls)
        by_class = self._calls_by_class()
        calls = {call: file for each in sorted(self._points_to.family(cls), key=repr) for call, file in by_class(each)}
        for call, file in calls.items():
            yield from _arguments(call, file)

    def _given_to_class(self, cls: ClassRef) -> Iterator[tuple[ast.expr, LexicalScope]]:
        """The arguments of an inherited constructor, which may call other methods."""
        for each in (cls, *sorted(self._points_to.project.subclasses(cls), key=repr)):
            if not self._points_to.first_method(each, "__init__"):
                name = DefinitionName.parse(each.name).name
                for node, file in self._points_to.calls.meanings(name).classes.get(each, ()):
                    call = file.parents.get(node)
                    if isinstance(call, ast.Call) and call.func is node:
                        yield from _arguments(call, file)

    def _calls_by_class(self) -> Callable[[ClassRef], Iterable[_Call]]:
        """The calls of inherited methods by the class of their object."""
        empty: dict[tuple[ClassRef, ast.Call, FileScopes], None] = {}
        every = self._points_to.derived(Derived("calls of inherited"), self._find_calls_of_instances, empty)
        known, groups = self._grouped
        if known is not every:  # a result that grows is another object
            groups = defaultdict(list)
            for cls, call, file in every:
                groups[cls].append((call, file))
            self._grouped = every, groups
        return lambda cls: groups.get(cls, ())

    def _find_calls_of_instances(self) -> dict[tuple[ClassRef, ast.Call, FileScopes], None]:
        found: dict[tuple[ClassRef, ast.Call, FileScopes], None] = {}
        for call, file in self._calls_of_inherited:
            assert isinstance(call.func, ast.Attribute)
            for reference in self._points_to.of(call.func.value, file.scope_of(call)):
                if isinstance(reference.base, Instance):
                    found[reference.base.cls, call, file] = None
        return found

    def _bases(self, cls: ClassRef) -> frozenset[str]:
        """The packages of the classes that a class inherits from."""
        if cls not in self._packages:
            bases = (base.name for base in self._points_to.project.mro(cls) if isinstance(base, External))
            packages = frozenset(name.partition(".")[0] for name in bases) - _CALLS_NOTHING
            if self._points_to.method(cls, "forward"):  # a module, whose base may be one of any package
                packages &= sys.stdlib_module_names
            self._packages[cls] = packages
        return self._packages[cls]

    @cached_property
    def _calls_of_packages(self) -> dict[str, list[_Call]]:
        """The calls of functions and classes of packages, by the package."""
        found: dict[str, list[_Call]] = defaultdict(list)
        for call, file in self._calls():
            for package in _packages_of(call.func, file.scope_of(call)):
                found[package].append((call, file))
        return found

    @cached_property
    def _calls_of_inherited(self) -> list[_Call]:
        """The calls of methods that no class of the project defines."""
        return [
            (call, file)
            for call, file in self._calls()
            if isinstance(call.func, ast.Attribute)
            and (is_super(call.func.value, file.scope_of(call)) or not self._is_own(call.func.attr))
        ]

    def _is_own(self, name: str) -> bool:
        return self._points_to.names.is_method(name)

    def _calls(self) -> Iterator[_Call]:
        files = (file for module in self._points_to.modules if (file := self._points_to.file(module)) is not None)
        return ((call, file) for file in files for call in file.index.of(ast.Call) if call.args or call.keywords)


def _packages_of(callee: ast.expr, scope: LexicalScope, *, is_made: bool = False) -> Iterator[str]:
    """The packages whose function, or method of an object that they made, an expression names."""
    root = dotted_text(callee).partition(".")[0]
    home = scope.binder(root) if root.isidentifier() else None
    for binding in home.bindings[root] if home is not None else ():
        if binding.target:
            yield binding.target.partition(".")[0]
        elif isinstance(binding.value, ast.Call) and not is_made and home is not None:
            yield from _packages_of(binding.value.func, binding.home(home), is_made=True)


def _arguments(call: ast.Call, file: FileScopes) -> Iterator[tuple[ast.expr, LexicalScope]]:
    scope = file.scope_of(call)
    yield from ((value, scope) for value in argument_values(call))
