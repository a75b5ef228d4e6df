"""Units of work: files that know of each other are analysed together, the others apart.

What is found in a file depends on what it uses and on who uses it. Files that share no class, function or computed
value that could take part in a model's run are in different units, which are analysed one after another, or by several
processes, or not again where nothing in them has changed. The division follows from the files alone, so that what is
found does not depend on how the work is spread.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qprep.analysis.effects.write_records import ExternalWrite
from qprep.analysis.symbols.module_resolver import MAX_PARTS
from qprep.analysis.symbols.module_summary import ModuleSummary
from qprep.foundation.disjoint_sets import DisjointSets

UNIT_BYTES = 1_000_000  # small groups share a unit of about this much source, so that what they all use is read once
# Bases of classes that are no modules, as far as a name can tell.
_PLAIN = ("builtins.", "abc.", "typing.", "enum.", "collections.", "dataclasses.", "torch.autograd", "torch.optim")


@dataclass(frozen=True, slots=True)
class Around:
    """Effects of the files outside a partition on any object.

    tested_names      names that they test any object for
    child_iterations  places that take children in order
    writes            attributes, variables and instances that they write from outside
    """

    tested_names: frozenset[str]
    child_iterations: tuple[str, ...]
    writes: frozenset[ExternalWrite] = frozenset()


ALONE = Around(frozenset(), ())


@dataclass(frozen=True, slots=True)
class Partition:
    """Files that are analysed together, in the order given, and what surrounds them.

    `context` are files that use these: they are evaluated together with them, and neither reported nor changed.
    `notes_open_names`: the result lists the names that such files may use (`open_names`).
    """

    paths: tuple[Path, ...]
    around: Around
    context: tuple[Path, ...] = ()
    notes_open_names: bool = False


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The files of a project around a partition: `context` is evaluated with it, of the others the effects count."""

    context: tuple[Path, ...]
    around: Around


@dataclass(frozen=True, slots=True)
class _Found:
    """The definition that a dotted name refers to: a module, or a class, function or value in one."""

    kind: str  # module | class | function | value
    module: str
    name: str = ""


class ModuleSummaries:
    """The summaries of the given modules, and of those that they import, by dotted name."""

    def __init__(
        self,
        given: Mapping[str, Path],
        summary: Callable[[str], ModuleSummary | None],
        canonical: Callable[[str], str] = str,
    ) -> None:
        self.given = given
        self.get = summary
        self.canonical = canonical  # the one name that a module goes by
        self._modules: dict[tuple[str, str], bool] = {}
        self._below: dict[str, list[str]] | None = None
        self._known: dict[str, _Found | None] = {}
        self._sought: set[str] = set()

    def below(self, module: str) -> list[str]:
        """A given module and those inside it, in the order given."""
        if self._below is None:
            self._below = {}
            for name in self.given:
                above = name
                while above:
                    self._below.setdefault(above, []).append(name)
                    above = above.rpartition(".")[0]
        return self._below.get(module, [])

    def find(self, dotted: str) -> _Found | None:
        """The definition of a dotted name, through the imports of packages; None outside of the project."""
        if dotted in self._known:
            return self._known[dotted]
        if dotted in self._sought:  # files that take all names of each other
            return None
        self._sought.add(dotted)
        try:
            found = self._follow(dotted)
        finally:
            self._sought.discard(dotted)
        if not self._sought:
            self._known[dotted] = found
        return found

    def _follow(self, dotted: str) -> _Found | None:
        seen: set[str] = set()
        while dotted not in seen and dotted.count(".") <= MAX_PARTS:
            seen.add(dotted)
            step = self._step(dotted)
            if not isinstance(step, str):
                return step
            dotted = step
        return None

    def _step(self, dotted: str) -> _Found | str | None:
        if self.get(dotted) is not None:
            return _Found("module", self.canonical(dotted))
        head, _, trail = dotted.rpartition(".")
        while head:
            summary = self.get(head)
            if summary is not None:
                return self._member(self.canonical(head), summary, trail)
            head, _, last = head.rpartition(".")
            trail = f"{last}.{trail}"
        return None

    def _member(self, module: str, summary: ModuleSummary, trail: str) -> _Found | str | None:
        first, _, rest = trail.partition(".")
        if first in summary.classes:
            return _Found("class", module, first)
        if first in summary.functions:
            return _Found("function", module, first)
        if first in summary.imports:
            return summary.imports[first] + (f".{rest}" if rest else "")
        if first in summary.values:
            return _Found("value", module, first)
        for star in summary.stars:
            if self.get(star) is not None and (found := self.find(f"{star}.{first}")) is not None:
                return found
        return None

    def may_run(self, module: str, name: str) -> bool:
        """True if a class may be an nn.Module: a base of it is torch's, or unknown."""
        key = (module, name)
        if key not in self._modules:
            self._modules[key] = False  # a cyclic definition ends here
            summary = self.get(module)
            entry = summary.classes.get(name) if summary is not None else None
            bases = entry.bases if entry is not None else ()
            self._modules[key] = any(self._base_may_run(module, base) for base in bases)
        return self._modules[key]

    def _base_may_run(self, module: str, base: str) -> bool:
        summary = self.get(module)
        first, _, rest = base.partition(".")
        if summary is None or base == "?":
            return True
        if first in summary.classes:
            return self.may_run(module, first)
        if first in summary.functions:  # a class that it defines
            return True
        dotted = summary.imports.get(first)
        if dotted is None:
            inside = next((f"{star}.{base}" for star in summary.stars if self.get(star) is not None), None)
            found = self.find(inside) if inside is not None else None
            return self.may_run(found.module, found.name) if found else bool(summary.stars) or first in summary.values
        dotted += f".{rest}" if rest else ""
        found = self.find(dotted)
        if found is None:
            return not dotted.startswith(_PLAIN)
        return found.kind != "class" or self.may_run(found.module, found.name)


@dataclass(frozen=True, slots=True)
class PartitionUnit:
    """Modules that are analysed together, and what they may do to any object."""

    names: tuple[str, ...]
    traits: Around


def units(given: Mapping[str, Path], summaries: ModuleSummaries, sizes: Mapping[str, int]) -> list[PartitionUnit]:
    """Divide the given modules, in their order; `sizes` are those of their files in bytes."""
    joined = _joined(summaries)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in given:
        groups[joined[name]].append(name)
    return [PartitionUnit(tuple(names), traits_of(names, summaries)) for names in _packed(list(groups.values()), sizes)]


def parts(given: Mapping[str, Path], divided: Sequence[PartitionUnit]) -> tuple[Partition, ...]:
    """The files of each unit, with what all others may do to their objects."""
    traits = [unit.traits for unit in divided]
    return tuple(
        Partition(tuple(given[name] for name in unit.names), _beside(traits, position))
        for position, unit in enumerate(divided)
    )


def _joined(summaries: ModuleSummaries) -> dict[str, str]:
    """The first module of each module's group."""
    groups = DisjointSets(summaries.given)
    waiting = [name for name in summaries.given if (found := summaries.get(name)) is not None and not found.is_glue]
    done = set(waiting)
    below: dict[str, list[str]] = {}
    while waiting:
        name = waiting.pop()
        for other in _wanted(name, summaries, below):
            if other not in groups:
                continue
            groups.merge(*sorted((groups.leader(name), groups.leader(other))))
            if other not in done:  # it computes a value out of what it imports
                done.add(other)
                waiting.append(other)
    return groups.leaders()


def _wanted(name: str, summaries: ModuleSummaries, below: dict[str, list[str]]) -> Iterator[str]:
    """The modules that a module takes something from which may take part in a model's run."""
    summary = summaries.get(name)
    if summary is None:
        return
    for dotted in dict.fromkeys((*summary.imports.values(), *summary.inner, *summary.stars)):
        for found in _taken(dotted, summary, summaries):
            if found.module == name:
                continue
            if found.kind == "module":
                if found.module not in below:
                    below[found.module] = list(_below(found.module, summaries))
                yield from below[found.module]
            elif _takes_part(found, summaries):
                yield found.module


def wanted(name: str, summaries: ModuleSummaries) -> Iterator[str]:
    """The modules that a module takes something from which may take part in a model's run."""
    return _wanted(name, summaries, {})


def _taken(dotted: str, summary: ModuleSummary, summaries: ModuleSummaries) -> list[_Found]:
    """The modules and definitions that a file uses of its imports."""
    found = summaries.find(dotted)
    if found is None:
        return []
    chains = summary.uses.get(dotted) if found.kind == "module" else None
    parts = [summaries.find(f"{dotted}.{chain}") for chain in chains or ()]
    if chains is None or None in parts:  # it is passed on as an object, or asked for unknown names
        return [found]
    return [part for part in parts if part is not None]


def _takes_part(found: _Found, summaries: ModuleSummaries) -> bool:
    """True if what a name refers to may take part in a model's run: not a plain class, nor a literal."""
    if found.kind == "class":
        return summaries.may_run(found.module, found.name)
    return found.kind == "function" or not _is_literal(found, summaries)


def _below(module: str, summaries: ModuleSummaries) -> Iterator[str]:
    """A module at hand as an object, and all that can be reached through it."""
    for name in summaries.below(module):
        summary = summaries.get(name)
        if summary is not None and not summary.is_glue:
            yield name


def _is_literal(found: _Found, summaries: ModuleSummaries) -> bool:
    summary = summaries.get(found.module)
    return summary is not None and summary.values.get(found.name, False)


def _packed(groups: Sequence[list[str]], sizes: Mapping[str, int]) -> list[list[str]]:
    """Groups put together up to about UNIT_BYTES, by their first names, so that one file's change moves no other."""
    total = sum(sizes[name] for group in groups for name in group)
    number = 1
    while number * UNIT_BYTES < total:
        number *= 2
    units: dict[object, list[list[str]]] = defaultdict(list)
    for group in groups:
        large = sum(sizes[name] for name in group) > UNIT_BYTES
        units[group[0] if large else _bucket(group[0], number)].append(group)
    order = {name: position for position, name in enumerate(name for group in groups for name in group)}
    return [sorted((name for group in unit for name in group), key=order.__getitem__) for unit in units.values()]


def _bucket(name: str, number: int) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()) % number


def traits_of(names: Iterable[str], summaries: ModuleSummaries) -> Around:
    """Effects of some modules on any object."""
    tested_names: set[str] = set()
    writes: set[ExternalWrite] = set()
    child_iterations: list[str] = []
    for name in names:
        summary = summaries.get(name)
        if summary is not None:
            tested_names.update(summary.tested_names)
            writes.update(summary.writes)
            child_iterations += [f"{name}:{line}" for line in summary.child_iterations]
    return Around(frozenset(tested_names), tuple(child_iterations), frozenset(writes))


def _beside(around: Sequence[Around], position: int) -> Around:
    """Effects of all partitions but one."""
    others = [entry for index, entry in enumerate(around) if index != position]
    return Around(
        frozenset().union(*(e.tested_names for e in others)),
        tuple(walk for e in others for walk in e.child_iterations),
        frozenset().union(*(e.writes for e in others)),
    )
