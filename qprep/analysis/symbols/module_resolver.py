"""Dotted names: the class, function or file across the files under analysis that one means."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import dotted_text
from qprep.analysis.symbols.class_hierarchy import ClassHierarchy
from qprep.analysis.symbols.definition_names import DefinitionName, variants
from qprep.analysis.symbols.module_summary import surface_of
from qprep.analysis.symbols.parse_cache import ParsedFiles
from qprep.analysis.symbols.project_files import ProjectFiles
from qprep.analysis.symbols.star_imports import StarImports
from qprep.analysis.symbols.symbol_table import ClassNode, FileIndex
from qprep.analysis.values.abstract_values import ClassRef, External, FunctionRef, Kind, join_all, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qprep.analysis.symbols.module_summary import ClassSummary, ModuleSummary


MAX_PARTS = 64
"""Parts of a dotted name. One gets longer without an end where a package imports a name from a file of that name which
cannot be read: `from .fast import fast`, with an extension module."""


def public_name(dotted: str) -> str:
    """ "torch.nn.LSTM" for "torch.nn.modules.rnn.LSTM": classes of torch.nn under the name that is documented."""
    if not dotted.startswith(("torch.nn.modules.", "torch.nn.parameter.")):
        return dotted
    last = dotted.rpartition(".")[2]
    return f"torch.nn.{last}" if last[:1].isupper() else dotted


class Project(ProjectFiles):
    """The files of a project, and the definitions that their names refer to."""

    def __init__(
        self,
        read: Callable[[Path], str | None],
        paths: Iterable[Path],
        parsed: ParsedFiles | None = None,
        summary: Callable[[str, Path], ModuleSummary | None] = lambda *_: None,
    ) -> None:
        super().__init__(read, paths, parsed, summary)
        self._resolved: dict[str, Kind] = {}
        self._star_imports = StarImports(self, self.resolve)
        self._hierarchy = ClassHierarchy(self)

    def resolve(self, dotted: str) -> Kind:
        """The definition of a dotted name: a class or function of the project, or something external."""
        if dotted not in self._resolved:
            self._resolved[dotted] = External(dotted)  # files that import all names of each other end here
            self._resolved[dotted] = self._follow(dotted)
        return self._resolved[dotted]

    def _follow(self, dotted: str) -> Kind:
        seen: set[str] = set()
        asked = dotted
        while dotted not in seen:
            if dotted.count(".") > MAX_PARTS:
                return External(public_name(asked))
            seen.add(dotted)
            found = self._lookup(dotted)
            if isinstance(found, str):
                dotted = found
                continue
            return found if found is not None else External(public_name(dotted))
        return External(dotted)

    def _lookup(self, dotted: str) -> Kind | str | None:
        """One step: a definition, the next name that an import leads to, or None."""
        head, _, rest = dotted.rpartition(".")
        trail = rest
        while head:
            surface = self.surface(head)
            if surface is not None:
                return self._member(self.canonical(head), surface, trail)
            head, _, last = head.rpartition(".")
            trail = f"{last}.{trail}"
        return None

    def _member(self, module: str, surface: ModuleSummary, trail: str) -> Kind | str | None:
        first, _, rest = trail.partition(".")
        found: list[Kind] = [ClassRef(module, name) for name in variants(surface.classes, trail)]
        found += [FunctionRef(module, name) for name in variants(surface.functions, trail)]
        if found:
            return join_all(found)
        if first in surface.classes and rest:
            return FunctionRef(module, trail) if rest in surface.classes[first].methods else None
        if first in surface.imports:
            return surface.imports[first] + (f".{rest}" if rest else "")
        given = self._star_imports.given(surface, first)
        return given + (f".{rest}" if rest else "") if given is not None else None

    def classes_named(self, dotted: str) -> tuple[ClassRef, ...]:
        """The classes of the project that a dotted name means; several where branches define it."""
        found = (option for option in options(self.resolve(dotted)) if isinstance(option, ClassRef))
        return tuple(sorted(found, key=lambda ref: (ref.module, ref.name)))

    def method_names(self, ref: ClassRef) -> list[str]:
        """The methods of a class and its bases, as far as the project defines them."""
        bases = [base for base in self.mro(ref) if isinstance(base, ClassRef)]
        return list(dict.fromkeys(name for base in bases for name in self.methods(base) or ()))

    def methods(self, ref: ClassRef) -> tuple[str, ...] | None:
        """The methods that a class itself defines; None for an unknown class. Parses nothing."""
        entry = self.class_summary(ref)
        return entry.methods if entry is not None else None

    def class_summary(self, ref: ClassRef) -> ClassSummary | None:
        """The names that the body of a class binds; None for an unknown class. Parses nothing."""
        surface = self.surface(ref.module)
        return surface.classes.get(ref.name) if surface is not None else None

    def class_node(self, ref: ClassRef) -> ClassNode | None:
        """The definition of a project class."""
        index = self.index(ref.module)
        return index.classes.get(ref.name) if index is not None else None

    def function_node(self, ref: FunctionRef) -> ast.FunctionDef | None:
        """The definition of a project function or method."""
        index = self.index(ref.module)
        if index is None:
            return None
        if ref.name in index.functions:
            return index.functions[ref.name]
        name = DefinitionName.parse(ref.name)
        return index.classes[name.owner].methods.get(name.key) if name.owner in index.classes else None

    def expression_name(self, index: FileIndex, node: ast.expr) -> str | None:
        """The dotted name of a Name or Attribute chain, seen from the top level of a file."""
        first, dot, rest = dotted_text(node).partition(".")
        return public_name(self.global_name(index, first) + dot + rest) if first != "?" else None

    def dotted_name(self, module: str, name: str) -> str | None:
        """The dotted name that a name at the top level of a module refers to; parses nothing."""
        first, dot, rest = name.partition(".")
        surface = self.surface(module)
        return public_name(self._global(module, surface, first) + dot + rest) if surface is not None else None

    def global_name(self, index: FileIndex, name: str) -> str:
        """The dotted name that a module-level name refers to."""
        return self._global(index.name, self.surface(index.name) or surface_of(index), name)

    def _global(self, module: str, surface: ModuleSummary, name: str) -> str:
        if name in surface.classes or name in surface.functions or name in surface.values:
            return f"{module}.{name}"
        if name in surface.imports:
            return surface.imports[name]
        given = self._star_imports.given(surface, name)
        of_torch = next(
            (star for star in surface.stars if star.startswith("torch") and self.surface(star) is None), None
        )
        if given is None and of_torch is not None:
            given = f"{of_torch}.{name}"
        return given or f"builtins.{name}"

    def mro(self, ref: ClassRef) -> tuple[Kind, ...]:
        """The class and its bases, nearest first: ClassRefs of the project, Externals of other packages."""
        return self._hierarchy.mro(ref)

    def subclasses(self, ref: ClassRef) -> set[ClassRef]:
        """The classes of the given files that inherit from `ref`."""
        return self._hierarchy.subclasses(ref)
