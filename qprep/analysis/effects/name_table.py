"""The files and places that read a name, set an attribute, or define a method."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from qprep.analysis.effects import decorations
from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
from qprep.analysis.symbols.ast_utils import walk
from qprep.analysis.symbols.module_resolver import Project
from qprep.analysis.values.abstract_values import ClassRef


@dataclass(slots=True)
class _Names:
    """The nodes of one file by the last part of their names."""

    loads: dict[str, list[ast.Name | ast.Attribute]] = field(default_factory=lambda: defaultdict(list))
    stores: dict[str, list[ast.Attribute]] = field(default_factory=lambda: defaultdict(list))


class FileLookup(Protocol):
    """Gives the scopes of a file by its module; the points-to analysis does."""

    def file(self, module: str) -> FileScopes | None:
        """The scopes of a file of the project."""
        ...


class NameTable:
    """The files and places that read a name or set an attribute."""

    def __init__(self, project: Project, modules: tuple[str, ...]) -> None:
        self._project = project
        self._modules = modules
        self._files: dict[str, _Names] = {}
        self._readers: dict[str, list[str]] | None = None
        self._writers: dict[str, list[str]] = defaultdict(list)
        self._methods: set[str] = set()
        self._holders: dict[str, list[ClassRef]] = defaultdict(list)
        self._decorated_in: list[str] = []  # files with decorated classes or functions
        self._decorating: list[str] = []  # files with decorated methods

    def loads(self, files: FileLookup, name: str) -> Iterator[tuple[ast.Name | ast.Attribute, FileScopes]]:
        """Every read of a name, as a variable or an attribute."""
        self._survey()
        for module in (self._readers or {}).get(name, ()):
            file = files.file(module)
            if file is not None:
                yield from ((node, file) for node in self._of(file).loads.get(name, ()))

    def reads(self, file: FileScopes, name: str) -> Iterator[ast.Name]:
        """Every read of a variable of this name in one file."""
        return (node for node in self._of(file).loads.get(name, ()) if isinstance(node, ast.Name))

    def stores(self, files: FileLookup, attribute: str) -> Iterator[tuple[ast.Attribute, LexicalScope]]:
        """Every assignment to an attribute of this name."""
        self._survey()
        for module in self._writers.get(attribute, ()):
            file = files.file(module)
            if file is not None:
                yield from ((node, file.scope_of(node)) for node in self._of(file).stores.get(attribute, ()))

    def is_method(self, name: str) -> bool:
        """True if a class of the files defines a method of this name."""
        self._survey()
        return name in self._methods

    def lookups(self, files: FileLookup) -> Iterator[tuple[ast.Call, FileScopes]]:
        """The calls of `getattr`, and of what may be an `attrgetter` of a method of the project."""
        self._survey()
        if self._has_getter_of_method(files):
            every = (file for module in self._modules if (file := files.file(module)) is not None)
            yield from ((call, file) for file in every for call in file.index.of(ast.Call) if _may_be_of_getter(call))
        for module in (self._readers or {}).get("getattr", ()):
            file = files.file(module)
            for name in self.reads(file, "getattr") if file is not None else ():
                call = file.parents.get(name) if file is not None else None
                if file is not None and isinstance(call, ast.Call) and call.func is name and len(call.args) > 1:
                    yield call, file

    def _has_getter_of_method(self, files: FileLookup) -> bool:
        """True if a path that `attrgetter` gets ends with the name of a method of the project."""
        for node, file in self.loads(files, "attrgetter"):
            call = file.parents.get(node)
            paths = call.args if isinstance(call, ast.Call) else ()
            names = (path.value for path in paths if isinstance(path, ast.Constant))
            if any(isinstance(name, str) and name.rpartition(".")[2] in self._methods for name in names):
                return True
        return False

    def decorating_files(self, files: FileLookup) -> Iterator[FileScopes]:
        """The files that have a decorated class or function."""
        self._survey()
        return (file for module in self._decorated_in if (file := files.file(module)) is not None)

    def method_decorators(self, files: FileLookup) -> Iterator[tuple[ClassRef, ast.expr, LexicalScope]]:
        """The decorators of the methods of every class, or what is called to make them, and where they stand."""
        self._survey()
        for module in self._decorating:
            index, file = self._project.index(module), files.file(module)
            for name, entry in index.classes.items() if index is not None and file is not None else ():
                scope = file.defined(entry.node) if file is not None else None
                for method in (*entry.methods.values(), *entry.setters.values()) if scope is not None else ():
                    for node in method.decorator_list:
                        decorator = node.func if isinstance(node, ast.Call) else node
                        if not (
                            isinstance(decorator, ast.Name) and scope is not None and scope.binder(decorator.id) is None
                        ):
                            assert scope is not None
                            yield ClassRef(module, name), decorator, scope

    def holders(self, attribute: str) -> Iterator[ClassRef]:
        """The classes whose bodies or methods name an attribute."""
        self._survey()
        return iter(self._holders.get(attribute, ()))

    def _survey(self) -> None:
        """Note once which names each file reads and sets; the trees are not held for that."""
        if self._readers is not None:
            return
        self._readers = defaultdict(list)
        for module in self._modules:
            index = self._project.index(module)
            if index is None:
                continue
            for name, entry in index.classes.items():
                self._methods.update(entry.methods)
                own = {
                    *entry.values,
                    *(n.attr for n in walk(entry.node) if isinstance(n, ast.Attribute) and _is_set(n)),
                }
                for attribute in own.union(entry.values):
                    self._holders[attribute].append(ClassRef(module, name))
            if any(True for _ in decorations.definitions(index)):
                self._decorated_in.append(module)
            methods = (method for entry in index.classes.values() for method in entry.methods.values())
            if any(method.decorator_list for method in methods):
                self._decorating.append(module)
            read = {node.id for node in index.of(ast.Name)}
            written: set[str] = set()
            for node in index.of(ast.Attribute):
                (read if isinstance(node.ctx, ast.Load) else written).add(node.attr)
            for name in read:
                self._readers[name].append(module)
            for name in written:
                self._writers[name].append(module)

    def _of(self, file: FileScopes) -> _Names:
        if file.module not in self._files:
            found = self._files[file.module] = _Names()
            for name in file.index.of(ast.Name):
                if isinstance(name.ctx, ast.Load):
                    found.loads[name.id].append(name)
            for node in file.index.of(ast.Attribute):
                (found.loads if isinstance(node.ctx, ast.Load) else found.stores)[node.attr].append(node)
        return self._files[file.module]


def _may_be_of_getter(call: ast.Call) -> bool:
    """True for a call of one argument, by its place: all that a getter takes."""
    return len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Constant)


def _is_set(node: ast.Attribute) -> bool:
    return not isinstance(node.ctx, ast.Load)
