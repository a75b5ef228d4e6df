"""Files that get a class or function without an import of it: from a module that keeps what it is given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from qprep.analysis.dependencies.partitions import ModuleSummaries
from qprep.analysis.symbols.module_summary import ModuleSummary


def takers(own: Collection[str], others: Collection[str], summaries: ModuleSummaries) -> list[str]:
    """The other modules that may get something of some modules from one that keeps what these give it; and that one.

    A module may keep it where one of these, or a function that they use, uses a name through which it keeps anything.
    """
    giving = _giving(own, summaries)
    if not giving:
        return []
    found = {name for name in others if name in giving}
    known = [(name, summary) for name in others if name not in own and (summary := summaries.get(name)) is not None]
    files = [_Taker.of(name, summary, summaries) for name, summary in known]
    while more := [file for file in files if _takes(file, giving, summaries)]:
        found.update(file.name for file in more)
    return [name for name in others if name in found]


def keepers(own: Collection[str], summaries: ModuleSummaries) -> frozenset[str]:
    """The modules that may keep something which some modules give them."""
    return frozenset(_giving(own, summaries))


@dataclass(frozen=True, slots=True)
class _Taker:
    """A module that may take something: the names whose results it takes, and the definitions that these are of."""

    name: str
    summary: ModuleSummary
    taken: tuple[tuple[str, str, str], ...]  # dotted name, module, name in it

    @classmethod
    def of(cls, name: str, summary: ModuleSummary, summaries: ModuleSummaries) -> _Taker:
        untaken = frozenset(summary.untaken)
        pairs = [(dotted, summaries.find(dotted)) for dotted in summary.used_names if dotted not in untaken]
        found = tuple((dotted, each.module, each.name) for dotted, each in pairs if each is not None)
        return cls(name, summary, found)


def _giving(own: Iterable[str], summaries: ModuleSummaries) -> dict[str, set[str]]:
    """The names that give out something that was kept for some modules, by the module that keeps it."""
    inside = set(own)  # files that use these are known already
    own_summaries = [summary for name in own if (summary := summaries.get(name)) is not None]
    waiting = list(dict.fromkeys(dotted for summary in own_summaries for dotted in summary.used_names))
    seen, found = set(waiting), dict[str, set[str]]()
    while waiting:
        used = summaries.find(waiting.pop())
        if used is None or (summary := summaries.get(used.module)) is None:
            continue
        for kept in summary.kept:
            if used.name and used.name not in kept.writers:
                continue
            if not kept.target and used.module not in inside:
                found.setdefault(used.module, set()).update(kept.givers)
            elif kept.target and kept.target not in seen:
                seen.add(kept.target)
                waiting.append(kept.target)
    return found


def _takes(file: _Taker, giving: dict[str, set[str]], summaries: ModuleSummaries) -> bool:
    """True if a file may get something out of a module that keeps it, by names that were not known to give it.

    Then its own definitions that use such a name are among the names that give something out.
    """
    taken = [dotted for dotted, module, name in file.taken if _gives(module, name, giving, summaries)]
    modules = list(giving.items()) if file.summary.stars else ()
    stars = any(_has_giver(star, *each, summaries) for star in file.summary.stars for each in modules)
    if not taken and not stars:
        return False
    known = giving.setdefault(file.name, set())
    more = {""}
    for kept in file.summary.kept:
        if stars or any(each == kept.target or each.startswith(f"{kept.target}.") for each in taken):
            more.update(kept.givers)
    new = not more <= known
    known |= more
    return new


def _gives(module: str, name: str, giving: Mapping[str, Collection[str]], summaries: ModuleSummaries) -> bool:
    """True if a name is one through which a module gives out what it keeps, or such a module or package itself."""
    if name:
        return name in giving.get(module, ())
    return any(below in giving for below in summaries.below(module))


def _has_giver(star: str, module: str, names: Iterable[str], summaries: ModuleSummaries) -> bool:
    """True if a module that all names are imported from has one of some names of another module."""
    found = (summaries.find(f"{star}.{name}") for name in names)
    return any(each is not None and each.module == module for each in found)
