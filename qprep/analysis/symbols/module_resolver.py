"""The files under analysis and how a dotted name finds its class, function or file across them."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.symbols.ast_utils import dotted_text
from qprep.analysis.symbols.bound_in_text import BoundNames
from qprep.analysis.symbols.definition_names import DefinitionName, plain_name, variants
from qprep.analysis.symbols.import_links import OWN_PACKAGE, ImportLinks, module_name
from qprep.analysis.symbols.module_summary import surface_of
from qprep.analysis.symbols.parse_cache import Mark, ParsedFiles
from qprep.analysis.symbols.symbol_table import ClassNode, FileIndex
from qprep.analysis.values.abstract_values import ClassRef, External, FunctionRef, Kind, join_all, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qprep.analysis.symbols.module_summary import ClassOutline, Outline


class ExternalModule(NamedTuple):
    """A module other than the given ones that was looked up: its file, and its names if nothing else was needed."""

    path: Path | None
    names: Outline | None = None


MAX_PARTS = 64
"""Parts of a dotted name. One gets longer without an end where a package imports a name from a file of that name which
cannot be read: `from .fast import fast`, with an extension module."""


def public_name(dotted: str) -> str:
    """ "torch.nn.LSTM" for "torch.nn.modules.rnn.LSTM": classes of torch.nn under the name that is documented."""
    if not dotted.startswith(("torch.nn.modules.", "torch.nn.parameter.")):
        return dotted
    last = dotted.rpartition(".")[2]
    return f"torch.nn.{last}" if last[:1].isupper() else dotted


class Project:
    """Parsed files by dotted name: those given, and those of their packages as they are needed.

    `outline` tells a module's names without the cost of holding it parsed; None if it does not know the module.
    """

    def __init__(
        self,
        read: Callable[[Path], str | None],
        paths: Iterable[Path],
        parsed: ParsedFiles | None = None,
        outline: Callable[[str, Path], Outline | None] = lambda *_: None,
    ) -> None:
        self._read = read
        self._parsed = parsed or ParsedFiles()
        self._outline = outline
        self._paths: dict[str, Path] = {}
        self._roots: dict[Path, None] = {}
        self._missing: set[str] = set()
        self._tops: frozenset[str] | None = None
        self._marks: dict[str, Mark] = {}
        self._resolved: dict[str, Kind] = {}
        self._surfaces: dict[str, Outline | None] = {}
        self._mro: dict[ClassRef, tuple[Kind, ...]] = {}
        self._subclasses: dict[ClassRef, set[ClassRef]] | None = None
        self.asked: dict[str, Path | None] = {}  # modules beside the given ones that were looked for, and their files
        self._read_whole: set[str] = set()
        self.given: dict[str, Path] = {}
        listed = list(paths)
        for path in listed:
            name, root = module_name(path)
            if name in self.given:  # two scripts of one name in different folders
                name = f"{name}@{path.absolute()}"
            self.given[name] = self._paths[name] = path
            self._roots[root] = None
        self._links = ImportLinks(listed, self._name_of)
        self._names = {os.path.abspath(path): name for name, path in self.given.items()}
        self._canonical: dict[str, str] = {}
        self._outlines: dict[str, Outline | None] = {}
        self._bound: dict[str, BoundNames | None] = {}  # of modules that others take all names of
        self._stars: dict[str, tuple[str, ...]] = {}
        self._given: dict[str, frozenset[str]] = {}  # names that modules give to those that take all
        self._lacking: dict[tuple[str, str], bool] = {}

    def index(self, name: str) -> FileIndex | None:
        """The index of the module called `name`, or None if it is not part of the project."""
        name = self.canonical(name)
        if name in self._missing:
            return None
        if name in self._marks and (known := self._parsed.get(self._marks[name])) is not None:
            return known
        path = self.path(name)
        text = self.text(name) if path is not None else None
        index = None
        if path is not None and text is not None:
            mark = self._marks[name] = Mark(name, str(path), len(text), hash(text))
            link = self._links.linker(path)
            index = self._parsed.get(mark) or self._parsed.parse(mark, text, link)
            if index is not None:
                index.link = link  # it may have been parsed for a project that is gone
        if index is None:
            self._missing.add(name)
        return index

    def beside(self) -> dict[str, ExternalModule]:
        """The modules other than the given ones that were looked up so far."""
        read, names = self._read_whole, self._surfaces
        return {
            name: ExternalModule(path, None if name in read else names.get(name)) for name, path in self.asked.items()
        }

    def canonical(self, name: str) -> str:
        """The one name of a module, for any name that Python finds it under; else the same text."""
        if name not in self._canonical:
            self._canonical[name] = name
            if self.path(name) is None and (found := self._links.find(name)) is not None:
                self._canonical[name] = self._name_of(found)
        return self._canonical[name]

    def link(self, name: str, outline: Outline) -> Outline:
        """The outline of a module, with what it imports under the names of this project's modules."""
        path = self.path(name)
        return outline.linked(self._links.linker(path)) if path is not None else outline

    def _name_of(self, path: Path) -> str:
        """The name of a file; it is part of the project from now on."""
        full = os.path.abspath(path)
        if full not in self._names:
            name = module_name(path)[0]
            if name in self._paths and os.path.abspath(self._paths[name]) != full:
                name = f"{name}@{full}"
            self._names[full] = name
            self._paths[name] = self.asked[name] = path
        return self._names[full]

    def is_missing(self, name: str) -> bool:
        """True if the module called `name` was looked up, and could not be read or parsed."""
        return name in self._missing

    def path(self, name: str) -> Path | None:
        """The file of a module of the project. qprep's own modules are another package's, but where they are given."""
        if name.partition(".")[0] == OWN_PACKAGE and OWN_PACKAGE not in self.tops:
            return None
        if name not in self._paths and name not in self.asked:
            self.asked[name] = self._find(name)
        return self._paths.get(name)

    def outline(self, name: str) -> Outline | None:
        """All that others may want to know of a module, where it is known without parsing it."""
        name = self.canonical(name)
        if name not in self._outlines:
            path = self.path(name)
            known = self._outline(name, path) if path is not None else None
            self._outlines[name] = self.link(name, known) if known is not None else None
        return self._outlines[name]

    def surface(self, name: str) -> Outline | None:
        """The names of a module, held for as long as the project: the parsed file may be dropped."""
        name = self.canonical(name)
        if name not in self._surfaces:
            known = self.outline(name)
            if known is None and (index := self.index(name)) is not None:
                known = surface_of(index)
            self._surfaces[name] = known
        return self._surfaces[name]

    def text(self, name: str) -> str | None:
        """The source of a module, where it can be read."""
        path = self._paths.get(name)
        self._read_whole.add(name)
        return self._read(path) if path is not None else None

    def may_be_another(self, module: str, user: str) -> bool:
        """True if `user`, in another folder, may mean another file by the name of a module: two files have it."""
        path, other = self._paths.get(module), self._paths.get(user)
        if path is None or other is None or path.parent == other.parent:
            return False
        return any(name.startswith(f"{module}@") for name in self.given)

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders that dotted names are looked for in."""
        return tuple(dict.fromkeys((*self._roots, *self._links.folders)))

    @property
    def tops(self) -> frozenset[str]:
        """The first names of the given modules."""
        if self._tops is None:
            self._tops = frozenset(name.partition(".")[0] for name in self.given)
        return self._tops

    def _find(self, name: str) -> Path | None:
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for root in self._roots:
            if not self._links.folder_names.may_hold(str(root), parts):
                continue
            stem = os.path.join(root, *parts)
            for candidate in (os.path.join(stem, "__init__.py"), f"{stem}.py"):
                if os.path.isfile(candidate) and self._belongs(Path(candidate), root, parts[0]):
                    self._paths[name] = Path(candidate)
                    return self._paths[name]
        return None

    def _belongs(self, candidate: Path, root: Path, top: str) -> bool:
        """Only packages that hold a given file, and scripts next to one, are part of the project."""
        return top in self.tops or candidate.parent == root

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

    def _member(self, module: str, surface: Outline, trail: str) -> Kind | str | None:
        first, _, rest = trail.partition(".")
        found: list[Kind] = [ClassRef(module, name) for name in variants(surface.classes, trail)]
        found += [FunctionRef(module, name) for name in variants(surface.functions, trail)]
        if found:
            return join_all(found)
        if first in surface.classes and rest:
            return FunctionRef(module, trail) if rest in surface.classes[first].methods else None
        if first in surface.imports:
            return surface.imports[first] + (f".{rest}" if rest else "")
        given = self._given_by_stars(surface, first)
        return given + (f".{rest}" if rest else "") if given is not None else None

    def _given_by_stars(self, surface: Outline, name: str) -> str | None:
        """The dotted name that a module has from a file of which it takes all names; None if it is not clear.

        A name that such a file imports from another package counts if no other of these files has a different one.
        """
        imported: set[str] = set()
        is_clear = True
        for star in surface.stars:
            if self._lacks(star, name) or (given := self.surface(star)) is None:
                continue
            found = self.resolve(f"{star}.{name}")
            if not isinstance(found, External):
                return f"{star}.{name}"
            is_clear = is_clear and name not in given.values
            if found.name != f"{star}.{name}" and self._is_exported(star, given, name):
                imported.add(found.name)
        return imported.pop() if is_clear and len(imported) == 1 else None

    def _is_exported(self, module: str, surface: Outline, name: str) -> bool:
        """True if `from module import *` certainly takes what the module imports by a name."""
        index = self.index(module)
        if index is None or name in index.rebound or name in index.alternatives:
            return False
        if "__all__" not in surface.values and "__all__" not in surface.imports:
            return not name.startswith("_")
        listed = index.values.get("__all__")
        return isinstance(listed, ast.List | ast.Tuple) and any(
            isinstance(each, ast.Constant) and each.value == name for each in listed.elts
        )

    def _lacks(self, module: str, name: str) -> bool:
        """True if it is clear that a module cannot give a name.

        The names of a lazy package come out of thousands of files, one of which has the name that is sought: the
        texts of the others show that, and are not parsed for it.
        """
        if (module, name) not in self._lacking:
            self._lacking[module, name] = self._shows_to_lack(module, name)
        return self._lacking[module, name]

    def _shows_to_lack(self, module: str, name: str) -> bool:
        waiting, seen = [module], set[str]()
        while waiting:
            current = self.canonical(waiting.pop())
            if current in seen or self.path(current) is None:
                continue
            seen.add(current)
            is_known = current in self._surfaces or self.outline(current) is not None
            known = self.surface(current) if is_known else None  # the result depends on no more than its names
            bound = self._bound_names(current) if known is None else None
            if known is not None:
                if name in self._names_given(current, known):
                    return False
                waiting += known.stars
            elif bound is None or bound.may_bind(name):
                return False
            else:
                waiting += self._stars_of(current, bound)
        return True

    def _names_given(self, module: str, surface: Outline) -> frozenset[str]:
        """The names that a module binds, without what tells several definitions apart."""
        if module not in self._given:
            names = (*surface.imports, *surface.classes, *surface.functions, *surface.values)
            self._given[module] = frozenset(plain_name(name).partition(".")[0] for name in names)
        return self._given[module]

    def _bound_names(self, module: str) -> BoundNames | None:
        """The names that the text of a module may bind; None if it cannot be read."""
        if module not in self._bound:
            text = self.text(module)
            self._bound[module] = BoundNames(text) if text is not None else None
        return self._bound[module]

    def _stars_of(self, module: str, bound: BoundNames) -> tuple[str, ...]:
        """The modules that a module takes all names of, by the names that the project has for them."""
        if module not in self._stars:
            path = self._paths[module]
            is_package = path.name == "__init__.py"
            index = FileIndex(module, str(path), is_package, ast.Module([], []), link=self._links.linker(path))
            imports = (ast.ImportFrom(written, [], level) for level, written in bound.stars)
            self._stars[module] = tuple(map(index.absolute, imports))
        return self._stars[module]

    def classes_named(self, dotted: str) -> tuple[ClassRef, ...]:
        """The classes of the project that a dotted name means; several where branches define it."""
        found = (option for option in options(self.resolve(dotted)) if isinstance(option, ClassRef))
        return tuple(sorted(found, key=lambda ref: (ref.module, ref.name)))

    def method_names(self, ref: ClassRef) -> list[str]:
        """The methods of a class and its bases, as far as the project defines them."""
        bases = [base for base in self.mro(ref) if isinstance(base, ClassRef)]
        return list(dict.fromkeys(name for base in bases for name in self.methods(base) or ()))

    def methods(self, ref: ClassRef) -> tuple[str, ...] | None:
        """The methods that a class itself defines; None if nobody knows the class. Nothing is parsed for it."""
        entry = self.class_outline(ref)
        return entry.methods if entry is not None else None

    def class_outline(self, ref: ClassRef) -> ClassOutline | None:
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

    def _global(self, module: str, surface: Outline, name: str) -> str:
        if name in surface.classes or name in surface.functions or name in surface.values:
            return f"{module}.{name}"
        if name in surface.imports:
            return surface.imports[name]
        given = self._given_by_stars(surface, name)
        of_torch = next(
            (star for star in surface.stars if star.startswith("torch") and self.surface(star) is None), None
        )
        if given is None and of_torch is not None:
            given = f"{of_torch}.{name}"
        return given or f"builtins.{name}"

    def mro(self, ref: ClassRef) -> tuple[Kind, ...]:
        """The class and its bases, nearest first: ClassRefs of the project, Externals of other packages."""
        if ref not in self._mro:
            self._mro[ref] = (ref,)  # a cyclic definition ends here
            self._mro[ref] = self._linearize(ref)
        return self._mro[ref]

    def _linearize(self, ref: ClassRef) -> tuple[Kind, ...]:
        surface = self.surface(ref.module)
        entry = surface.classes.get(ref.name) if surface is not None else None
        if surface is None or entry is None:
            return (ref,)
        chains: list[list[Kind]] = []
        direct: list[Kind] = []
        for base in entry.bases:
            first, dot, rest = base.partition(".")
            dotted = public_name(self._global(ref.module, surface, first) + dot + rest)
            kind = self.resolve(dotted) if base != "?" else External("?")
            for option in sorted(options(kind), key=repr):
                direct.append(option)
                chains.append(list(self.mro(option)) if isinstance(option, ClassRef) else [option])
        return (ref, *_merge_chains([*chains, direct]))

    def subclasses(self, ref: ClassRef) -> set[ClassRef]:
        """The classes of the given files that inherit from `ref`."""
        if self._subclasses is None:
            table: dict[ClassRef, set[ClassRef]] = {}
            for name in self.given:
                surface = self.surface(name)
                for cls in surface.classes if surface else ():
                    child = ClassRef(name, cls)
                    for base in self.mro(child)[1:]:
                        if isinstance(base, ClassRef):
                            table.setdefault(base, set()).add(child)
            self._subclasses = table
        return self._subclasses.get(ref, set())


def _merge_chains(chains: list[list[Kind]]) -> list[Kind]:
    """Python's C3 order; classes that cannot be ordered come in the order written."""
    result: list[Kind] = []
    chains = [chain for chain in chains if chain]
    while chains:
        head = next((c[0] for c in chains if not any(c[0] in other[1:] for other in chains)), chains[0][0])
        result.append(head)
        chains = [rest for chain in chains if (rest := [kind for kind in chain if kind != head])]
    return result
