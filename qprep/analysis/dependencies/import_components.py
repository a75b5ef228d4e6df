"""Islands: groups of given files that know of each other. What is in two islands is analysed by itself."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.symbols.import_links import module_name
from qprep.foundation.disjoint_sets import DisjointSets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

# Only names are taken from it: a match inside a string joins two islands, which costs time and nothing else.
_IMPORT = re.compile(rb"^[ \t>.]*(?:from[ \t]+([A-Za-z_]\w*)|import[ \t]+([^\r\n#;]+))", re.MULTILINE)
_DYNAMIC = re.compile(rb"import_module\(\s*f?[\"']([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class _Home:
    """A package in its folder, or all scripts of a folder: never parted."""

    folder: Path
    package: str  # "" for scripts


def islands(paths: Sequence[Path], read: Callable[[Path], bytes]) -> list[list[Path]]:
    """The given files in groups that neither import each other nor stand in one package or folder of scripts.

    Both the groups and the files in them keep the order given.
    """
    homes = {path: _home(path) for path in paths}
    members: dict[_Home, list[Path]] = defaultdict(list)
    for path, home in homes.items():
        members[home].append(path)
    if len(members) < 2:
        return [list(paths)]
    joined = _joined(members, read)
    groups: dict[_Home, list[Path]] = defaultdict(list)
    for path in homes:
        groups[joined[homes[path]]].append(path)
    return list(groups.values())


def _home(path: Path) -> _Home:
    name, folder = module_name(path)
    is_script = path.absolute().parent == folder and path.name != "__init__.py"
    return _Home(folder, "" if is_script else name.partition(".")[0])


def _joined(members: dict[_Home, list[Path]], read: Callable[[Path], bytes]) -> dict[_Home, _Home]:
    """The first home of each home's island."""
    top = os.path.commonpath([home.folder for home in members])
    providers: dict[str, list[_Home]] = defaultdict(list)
    for home, paths in members.items():
        for name in _provided(home, paths, top):
            providers[name].append(home)
    islands = DisjointSets(members)
    for home, paths in members.items():
        for name in sorted({name for path in paths for name in _imported(read(path))} & providers.keys()):
            for other in _nearest(home, providers[name]):
                islands.merge(home, other)
    return islands.leaders()


def _provided(home: _Home, paths: Iterable[Path], top: str) -> set[str]:
    """First names under which a home's files can be imported: folders without `__init__.py` are packages, too."""
    above = os.path.relpath(home.folder, top).split(os.sep)
    return {*above, home.package or home.folder.name} | ({path.stem for path in paths} if not home.package else set())


def _imported(data: bytes) -> Iterator[str]:
    """First names of what a file imports."""
    for source, listed in _IMPORT.findall(data):
        for name in [source] if source else listed.split(b","):
            yield name.strip().partition(b".")[0].partition(b" ")[0].decode()
    for name in _DYNAMIC.findall(data):
        yield name.decode()


def _nearest(home: _Home, others: Sequence[_Home]) -> list[_Home]:
    """Of several homes that provide a name, those that share most of the path; none where this one does itself."""
    if home in others:
        return []
    shared = {other: len(os.path.commonpath([home.folder, other.folder])) for other in others}
    return [other for other, length in shared.items() if length == max(shared.values())]
