"""Base classes and subclasses across the files of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from qprep.analysis.values.abstract_values import ClassRef, External, options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qprep.analysis.symbols.module_summary import ModuleSummary
    from qprep.analysis.values.abstract_values import Kind


class ProjectNames(Protocol):
    """The questions about names that a hierarchy of classes asks."""

    @property
    def given(self) -> Mapping[str, Path]:
        """The given files by the names of their modules."""
        ...

    def surface(self, name: str) -> ModuleSummary | None:
        """The names of a module."""
        ...

    def dotted_name(self, module: str, name: str) -> str | None:
        """The dotted name that a name at the top level of a module refers to."""
        ...

    def resolve(self, dotted: str) -> Kind:
        """The definition of a dotted name."""
        ...


class ClassHierarchy:
    """The order in which Python looks a name up on instances, and the subclasses among the given files."""

    def __init__(self, names: ProjectNames) -> None:
        self._names = names
        self._mro: dict[ClassRef, tuple[Kind, ...]] = {}
        self._subclasses: dict[ClassRef, set[ClassRef]] | None = None

    def mro(self, ref: ClassRef) -> tuple[Kind, ...]:
        """The class and its bases, nearest first: ClassRefs of the project, Externals of other packages."""
        if ref not in self._mro:
            self._mro[ref] = (ref,)  # a cyclic definition ends here
            self._mro[ref] = self._linearize(ref)
        return self._mro[ref]

    def _linearize(self, ref: ClassRef) -> tuple[Kind, ...]:
        surface = self._names.surface(ref.module)
        entry = surface.classes.get(ref.name) if surface is not None else None
        if entry is None:
            return (ref,)
        chains: list[list[Kind]] = []
        direct: list[Kind] = []
        for base in entry.bases:
            dotted = self._names.dotted_name(ref.module, base) if base != "?" else None
            kind = self._names.resolve(dotted) if dotted is not None else External("?")
            for option in sorted(options(kind), key=repr):
                direct.append(option)
                chains.append(list(self.mro(option)) if isinstance(option, ClassRef) else [option])
        return (ref, *_merge_chains([*chains, direct]))

    def subclasses(self, ref: ClassRef) -> set[ClassRef]:
        """The classes of the given files that inherit from `ref`."""
        if self._subclasses is None:
            table: dict[ClassRef, set[ClassRef]] = {}
            for name in self._names.given:
                surface = self._names.surface(name)
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
