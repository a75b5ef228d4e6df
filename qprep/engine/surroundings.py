"""The files of a project other than the given ones: read for their effects on these, neither reported nor changed."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qprep.analysis.dependencies.partitions import (
    ALONE,
    Around,
    ModuleSummaries,
    Neighbours,
    Partition,
    traits_of,
    wanted,
)
from qprep.analysis.interpreter.open_names import OpenNames
from qprep.analysis.symbols.import_links import module_name, project_root
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.discovery import walk
from qprep.engine.partitioning import Division, ProjectSummaries, Reader, SummaryStore
from qprep.engine.registries import keepers, takers
from qprep.engine.text_users import TextUsers, loads_modules, module_stem, text_users
from qprep.foundation import gc_pause
from qprep.foundation.source import display_path

MOST_FILES = 2_000  # of a project that are looked through
MOST_BYTES = 20_000_000
NEAR_BYTES = 2_000_000
"""Source of users that is evaluated with a part, the nearest ones first; beyond it files count by their traits alone.

Evaluation costs some ten seconds a megabyte, so that a file of a package of thousands would cost many minutes.
"""

_WORD = re.compile(rb"[A-Za-z_]\w*")
_CLASS = re.compile(rb"^[ \t]*class[ \t]+([A-Za-z_]\w*)[ \t]*\(([^)]*)\)", re.MULTILINE)
_CALLED = re.compile(rb"(?<!class )(?<!def )(?<!\w)([A-Za-z_]\w*)[ \t]*\(")
_OWN = re.compile(rb"(?:\bclass|\bdef|\bself\s*\.|\bthis\s*\.)\s*([A-Za-z_]\w*)")
# What any object may be changed or gone through by, whatever it is called.
_GENERAL = frozenset(
    (
        *(b"children", b"named_children", b"modules", b"named_modules", b"_modules", b"apply"),
        *(b"setattr", b"delattr", b"getattr", b"hasattr", b"exec", b"eval", b"attrgetter", b"vars"),
    )
)
_ANY_GENERAL = re.compile(rb"(?<!\w)(?:" + b"|".join(sorted(_GENERAL)) + rb"|register_module_\w+)(?!\w)")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Files other than the given ones; `note` says where the limit was reached."""

    paths: tuple[Path, ...]
    note: str | None = None


def surroundings(given: Sequence[Path], settings: SettingsResolver) -> Surroundings:
    """The other files of the projects that given files are of, as a walk from their roots finds them.

    A project's root is the closest folder above that has a pyproject.toml, setup.py, setup.cfg or .git; without one
    the files of the given ones' packages and folders count. At most MOST_FILES files of MOST_BYTES together.
    """
    known = {os.path.realpath(path) for path in given}
    found: dict[str, Path] = {}
    cut: list[str] = []
    size = 0
    for root, deep in _roots(given):
        for path in walk(root, settings, most=MOST_FILES + len(known) + 1, deep=deep):
            real = os.path.realpath(path)
            if real in known or real in found:
                continue
            size += _size(path)
            if len(found) >= MOST_FILES or size > MOST_BYTES:
                cut.append(display_path(root))
                break
            found[real] = path
    limit = f"the first {MOST_FILES} files or {MOST_BYTES // 1_000_000} MB"
    note = f"only {limit} of the other files in {cut[0]} are read" if cut else None
    return Surroundings(tuple(found.values()), note)


def _roots(given: Sequence[Path]) -> list[tuple[Path, bool]]:
    """The folders to look through, and whether their folders count, too; none inside another one."""
    found: dict[Path, bool] = {}
    for folder in dict.fromkeys(path.absolute().parent for path in given):
        root = project_root(folder)
        if root is not None:
            found[root] = True
            continue
        name, home = module_name(folder / "module.py")
        found.setdefault(home, False)
        if home != folder:
            found[home / name.partition(".")[0]] = True
    tops = {root for root, deep in found.items() if deep}
    return [(root, deep) for root, deep in sorted(found.items()) if not any(above in tops for above in root.parents)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class Beside:
    """The other files of a project, as parts of the given files meet them."""

    paths: Sequence[Path]
    reader: Reader
    store: SummaryStore | None = None

    def around(self, divisions: Sequence[Division]) -> list[Division]:
        """The same parts with the files that use them, and the effects of the others."""
        return surround(divisions, self.paths, self.reader, self.store) if self.paths else list(divisions)

    def may_use(self, names: OpenNames) -> bool:
        """True if the text of a file may make an instance of an open class, or name an open function."""
        texts = [self.reader.data(path) for path in self.paths] if names.made or names.called else []
        return _name_any(texts, names.called) or _make_any(texts, names.made)


def _name_any(texts: Sequence[bytes], names: Iterable[str]) -> bool:
    """True if one of some texts has one of some names as a word."""
    return any(_has_word(text, name.encode()) for name in names for text in texts)


def _has_word(text: bytes, name: bytes) -> bool:
    return name in text and re.search(rb"(?<!\w)" + re.escape(name) + rb"(?!\w)", text) is not None


def _make_any(texts: Sequence[bytes], names: Iterable[str]) -> bool:
    """True if a text calls one of some classes by its name, or one that inherits from one of them."""
    made = {name.encode() for name in names}
    waiting = set(made)
    while waiting:
        naming = [text for text in texts if any(_has_word(text, name) for name in waiting)]
        if any(name in waiting for text in naming for name in _CALLED.findall(text)):
            return True
        classes = (found for text in naming for found in _CLASS.findall(text))
        waiting = {name for name, bases in classes if not waiting.isdisjoint(_WORD.findall(bases))} - made
        made |= waiting
    return False


def surround(
    divisions: Sequence[Division], beside: Sequence[Path], reader: Reader, store: SummaryStore | None = None
) -> list[Division]:
    """The same parts, each with the files outside it that use its modules, and the effects of the others.

    A file whose text names nothing of the given ones is left out.
    """
    every = [part for division in divisions for part in division.parts]
    given = [path for division in divisions for path in division.paths]
    found = store.neighbours(every, [*given, *beside]) if store is not None else None
    if found is None:
        with gc_pause.paused():
            found = _neighbours(every, given, beside, reader, store)
    placed = iter([_placed(part, neighbours) for part, neighbours in zip(every, found, strict=True)])
    return [replace(each, parts=tuple(next(placed) for _ in each.parts)) for each in divisions]


def _placed(part: Partition, neighbours: Neighbours) -> Partition:
    return replace(part, around=_joined(part.around, neighbours.around), context=neighbours.context)


def _neighbours(
    every: Sequence[Partition],
    given: Sequence[Path],
    beside: Sequence[Path],
    reader: Reader,
    store: SummaryStore | None,
) -> list[Neighbours]:
    """The neighbours of each part of the given files."""
    near = _mentioning(given, beside, reader)
    if not near:
        return [Neighbours((), ALONE) for _ in every]
    names = ProjectSummaries([*given, *near], reader, store, label=beside)
    summaries = ModuleSummaries(names.project.given, names.get, names.project.canonical)
    by_path = {path: name for name, path in names.project.given.items()}
    graph = {by_path[path]: _uses(by_path[path], summaries) for path in near if path in by_path}
    sizes = {by_path[path]: len(reader.data(path)) for path in near if path in by_path}
    by_text = text_users(given, near, reader)
    known = _Known(graph, summaries, by_path, sizes)
    found = [_users(part, known, by_text(part.paths)) for part in every]
    names.keep()
    if store is not None:
        store.keep_neighbours(every, [*given, *beside], found, names.beside())
    return found


@dataclass(frozen=True, slots=True)
class _ImportUses:
    """The modules whose names a file imports, and those of which it takes what may run with a model."""

    named: frozenset[str]
    run: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Known:
    """The other files of a project: the modules that each uses, all summaries, names by path, sizes in bytes."""

    graph: Mapping[str, _ImportUses]
    summaries: ModuleSummaries
    by_path: Mapping[Path, str]
    sizes: Mapping[str, int]


def _users(part: Partition, known: _Known, by_text: TextUsers) -> Neighbours:
    """The files that use a part, and those that do something to what these have of it."""
    graph, summaries = known.graph, known.summaries
    own = {known.by_path[path] for path in part.paths if path in known.by_path}
    texts = _loaders(by_text, known)
    reached = set(own)
    more = [name for name, uses in graph.items() if name in texts or not own.isdisjoint(uses.named)]
    users: dict[str, None] = {}  # the nearest first
    while more:
        users.update(dict.fromkeys(more))
        reached.update(name for name in more if not _only_hands_on(name, summaries))
        more = [name for name, uses in graph.items() if name not in users and not reached.isdisjoint(uses.run)]
    kept = [name for name in takers(own, graph, summaries) if not _only_hands_on(name, summaries)]
    users.update(dict.fromkeys(kept))
    users.update(dict.fromkeys(_helpers(reached.union(kept), known)))
    users = _nearest(users, known.sizes)
    others = traits_of([name for name in graph if name not in users], summaries)
    return Neighbours(tuple(summaries.given[name] for name in graph if name in users), others)


def _loaders(by_text: TextUsers, known: _Known) -> set[str]:
    """The modules that load modules by their names, and those that name one in a text and use such a module."""
    names = {known.by_path[path] for path in by_text.loading if path in known.by_path}
    found = names & known.graph.keys()
    for path in by_text.naming:
        name = known.by_path.get(path)
        if name is not None and name in known.graph and not names.isdisjoint(_all_uses(name, known)):
            found.add(name)
    return found


def _all_uses(name: str, known: _Known) -> set[str]:
    """The modules that a module uses, one through another, and itself."""
    found, waiting = {name}, [name]
    while waiting:
        each = waiting.pop()
        more = (known.graph.get(each) or _uses(each, known.summaries)).run - found
        found |= more
        waiting += more
    return found


def _nearest(users: Iterable[str], sizes: Mapping[str, int]) -> dict[str, None]:
    """The first files, up to NEAR_BYTES of them together."""
    found: dict[str, None] = {}
    left = NEAR_BYTES
    for name in users:
        left -= sizes[name]
        if left < 0:
            break
        found[name] = None
    return found


def _helpers(users: Collection[str], known: _Known) -> list[str]:
    """The files that do something to objects which they are given, and that some others use, one through another.

    A file is used, too, where it gives a function to a module that keeps it, and one of the others uses that module;
    what it writes counts by its traits, so that this matters where it takes children in order.
    """
    graph, summaries = known.graph, known.summaries
    reached, waiting = set(users), list(users)
    while waiting:
        name = waiting.pop()
        more = (graph[name] if name in graph else _uses(name, summaries)).run - reached
        reached |= more
        waiting += more
    found: list[str] = []
    for name in graph:
        summary = summaries.get(name)
        if summary is None or not (summary.child_iterations or summary.writes or summary.meets_any):
            continue
        if name in reached or (summary.child_iterations and not reached.isdisjoint(keepers([name], summaries))):
            found.append(name)
    return found


def _joined(one: Around, other: Around) -> Around:
    return Around(
        one.tested_names | other.tested_names,
        (*one.child_iterations, *other.child_iterations),
        one.writes | other.writes,
    )


def _uses(name: str, summaries: ModuleSummaries) -> _ImportUses:
    summary = summaries.get(name)
    if summary is None:
        return _ImportUses(frozenset(), frozenset())
    imported = (_module_of(target, summaries) for target in (*summary.imports.values(), *summary.inner, *summary.stars))
    named = frozenset(module for module in imported if module is not None)
    return _ImportUses(named - {name}, frozenset(wanted(name, summaries)) - {name})


def _only_hands_on(name: str, summaries: ModuleSummaries) -> bool:
    """True if a file defines nothing that may run with a model, and reads none of the names that it imports."""
    summary = summaries.get(name)
    if summary is None or not summary.is_glue or not all(summary.values.values()):
        return False
    return all(summary.uses.get(target) == () for target in summary.imports.values())


def _module_of(dotted: str, summaries: ModuleSummaries) -> str | None:
    """The module that the longest beginning of a dotted name is."""
    while dotted:
        if summaries.get(dotted) is not None:
            return summaries.canonical(dotted)
        dotted = dotted.rpartition(".")[0]
    return None


def _may_meet_any(text: bytes) -> bool:
    return _ANY_GENERAL.search(text) is not None or loads_modules(text)


def _mentioning(given: Sequence[Path], beside: Sequence[Path], reader: Reader) -> list[Path]:
    """The other files whose text names a given module, something defined or held in one, or a user of these.

    Files that load modules by their names, or go through any object, count as users.
    """
    names = {module_stem(path) for path in given}
    for path in given:
        names.update(_OWN.findall(reader.data(path)))
    found = {path: None for path in beside if _may_meet_any(reader.data(path))}
    names.update(map(module_stem, found))
    words = {path: frozenset(_WORD.findall(reader.data(path))) for path in beside if path not in found}
    new = True
    while new:
        more = [path for path in words if path not in found and not names.isdisjoint(words[path])]
        found.update(dict.fromkeys(more))
        names.update(map(module_stem, more))
        new = bool(more)
    return [path for path in beside if path in found]
