"""The classes and functions that files define, and what their bases say of them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
from qprep.analysis.effects.library_names import ROOTS
from qprep.analysis.effects.name_table import NameTable
from qprep.analysis.effects.python_classes import holds_no_items
from qprep.analysis.symbols.ast_utils import walk
from qprep.analysis.symbols.definition_names import plain_name
from qprep.analysis.values.abstract_values import ClassRef, External

if TYPE_CHECKING:
    from qprep.analysis.symbols.module_resolver import Project

_TRACERS = frozenset(("Interpreter", "Tracer", "Transformer"))
_TORCH_CONTAINERS = frozenset(("ModuleDict", "ModuleList", "Sequential"))


class Definitions:
    """The classes and functions of a project's files, with their methods and bases."""

    def __init__(self, project: Project, modules: Iterable[str]) -> None:
        self.project = project
        self.modules = tuple(modules)
        self.names = NameTable(project, self.modules)
        self._files: dict[str, FileScopes | None] = {}
        self._methods: dict[tuple[ClassRef, str], list[LexicalScope]] = {}
        self._families: dict[ClassRef, frozenset[ClassRef]] = {}
        self._modules: dict[ClassRef, bool] = {}
        self._containers: dict[ClassRef, bool] = {}
        self._iterated: dict[ClassRef, bool] = {}
        self._keeping: dict[ClassRef, bool] = {}
        self._set_in: dict[ClassRef, tuple[str, ...]] = {}

    def file(self, module: str) -> FileScopes | None:
        """The scopes of a module of the project."""
        if module not in self._files:
            index = self.project.index(module)
            self._files[module] = FileScopes(index) if index is not None else None
        return self._files[module]

    def function(self, module: str, node: ast.AST) -> LexicalScope | None:
        """The scope of a definition."""
        file = self.file(module)
        return file.defined(node) if file is not None else None

    def method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method that an instance of a class, or of a subclass, may run.

        A subclass may find it in a base of its own, in addition to `cls`: a mixin.
        """
        if (cls, name) not in self._methods:
            found = [self.first_method(each, name) for each in (cls, *self.project.subclasses(cls))]
            self._methods[cls, name] = list(dict.fromkeys(scope for own in found for scope in own))
        return self._methods[cls, name]

    def first_method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method in the class nearest to `cls` that has any."""
        owns = (self.own_method(base, name) for base in self.project.mro(cls) if isinstance(base, ClassRef))
        return next(filter(None, owns), [])

    def own_method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method in the body of a class."""
        if not any(plain_name(key) == name for key in self.project.methods(cls) or ()):
            return []  # without a need to parse the file
        file = self.file(cls.module)
        # The tree that the scopes were made of: the project may have parsed the file again since.
        entry = file.index.classes.get(cls.name) if file is not None else None
        if file is None or entry is None:
            return []
        nodes = [node for key, node in entry.methods.items() if plain_name(key) == name]
        return [scope for node in nodes if (scope := file.defined(node)) is not None]

    def next_method(self, cls: ClassRef, after: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method in the classes that follow another in the order of a class."""
        order = self.project.mro(cls)
        rest = order[order.index(after) + 1 :] if after in order else order
        owns = (self.own_method(base, name) for base in rest if isinstance(base, ClassRef))
        return next(filter(None, owns), [])

    def is_module(self, cls: ClassRef) -> bool:
        """True if a class inherits from a class of torch.nn."""
        if cls not in self._modules:
            bases = (base.name for base in self.project.mro(cls) if isinstance(base, External))
            self._modules[cls] = any(name.startswith("torch.") for name in bases)
        return self._modules[cls]

    def is_container(self, cls: ClassRef) -> bool:
        """True if a class inherits from Sequential, ModuleList or ModuleDict."""
        if cls not in self._containers:
            bases = (base.name for base in self.project.mro(cls) if isinstance(base, External))
            self._containers[cls] = any(map(is_torch_container, bases))
        return self._containers[cls]

    def may_be_iterated(self, cls: ClassRef) -> bool:
        """True unless a class is a module that is no container and defines neither `__iter__` nor `__getitem__`."""
        if cls not in self._iterated:
            methods = (self.method(cls, name) for name in ("__iter__", "__getitem__"))
            self._iterated[cls] = not self.is_module(cls) or self.is_container(cls) or any(methods)
        return self._iterated[cls]

    def is_metaclass(self, cls: ClassRef) -> bool:
        """True if the instances of a class are classes."""
        return any(isinstance(base, External) and base.name == "builtins.type" for base in self.project.mro(cls))

    def is_enum(self, cls: ClassRef) -> bool:
        """True if calls of a class look up one of its members, which are all made in its body."""
        return any(isinstance(base, External) and base.name.startswith("enum.") for base in self.project.mro(cls))

    def may_be_module(self, cls: ClassRef) -> bool:
        """True unless all bases of a class are known, and none is of torch or built on it."""
        others = (base for base in self.project.mro(cls) if not isinstance(base, ClassRef))
        return not all(isinstance(b, External) and b.name.partition(".")[0] in sys.stdlib_module_names for b in others)

    def may_keep_items(self, cls: ClassRef) -> bool:
        """True if instances of a class, or of a subclass, may be containers, which count as what is put into them."""
        if cls not in self._keeping:
            self._keeping[cls] = any(map(self._may_be_container, (cls, *self.project.subclasses(cls))))
        return self._keeping[cls]

    def _may_be_container(self, cls: ClassRef) -> bool:
        others = [base for base in self.project.mro(cls) if isinstance(base, External) and base.name not in ROOTS]
        if self.is_module(cls):
            return self.is_container(cls)
        return not all(holds_no_items(base.name) for base in others)

    def has_given_items(self, cls: ClassRef) -> bool:
        """True if instances of a class may be containers, made by code that is not given: of `dict`, of NamedTuple."""
        is_derived = any(isinstance(base, External) and base.name not in ROOTS for base in self.project.mro(cls))
        return is_derived and not self.is_module(cls) and not self.is_enum(cls)

    @cached_property
    def own_containers(self) -> tuple[ClassRef, ...]:
        """The classes of the project that inherit from a container of torch.nn."""
        summaries = ((name, self.project.surface(name)) for name in self.modules)
        classes = (ClassRef(name, cls) for name, found in summaries if found is not None for cls in found.classes)
        return tuple(filter(self.is_container, classes))

    @cached_property
    def own_tracers(self) -> frozenset[ClassRef]:
        """The classes of the project that inherit from a tracer or an interpreter of torch.fx."""
        outlines = ((name, self.project.surface(name)) for name in self.modules)
        classes = (ClassRef(name, cls) for name, found in outlines if found is not None for cls in found.classes)
        return frozenset(filter(self._is_tracer, classes))

    def _is_tracer(self, cls: ClassRef) -> bool:
        bases = (base.name for base in self.project.mro(cls) if isinstance(base, External))
        return any(name.startswith("torch.fx.") and name.rpartition(".")[2] in _TRACERS for name in bases)

    def has_method(self, name: str) -> bool:
        """True if a class of the project defines a method of this name."""
        return self.names.is_method(name)

    def family(self, cls: ClassRef) -> frozenset[ClassRef]:
        """A class, its bases and its subclasses, as far as the project defines them."""
        if cls not in self._families:
            bases = [base for base in self.project.mro(cls) if isinstance(base, ClassRef)]
            self._families[cls] = frozenset((*bases, *self.project.subclasses(cls)))
        return self._families[cls]

    def names_set_in(self, cls: ClassRef) -> tuple[str, ...]:
        """The names that the body of a class annotates, and the attributes that code in it sets."""
        if cls not in self._set_in:
            entry = self.project.class_node(cls)
            nodes = walk(entry.node) if entry is not None else ()
            self._set_in[cls] = tuple(dict.fromkeys(name for node in nodes if (name := _set_name(node)) is not None))
        return self._set_in[cls]

    def body(self, cls: ClassRef) -> LexicalScope | None:
        """The scope of the body of a class."""
        file, entry = self.file(cls.module), self.project.class_node(cls)
        return file.defined(entry.node) if file is not None and entry is not None else None


def _set_name(node: ast.AST) -> str | None:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Attribute(attr=name, ctx=ast.Store()):
            return name
    return None


def is_torch_container(name: str) -> bool:
    """True if a dotted name is that of Sequential, ModuleList or ModuleDict."""
    return name.rpartition(".")[2] in _TORCH_CONTAINERS
