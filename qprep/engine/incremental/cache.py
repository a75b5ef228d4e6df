"""On-disk cache of results. An entry is valid while all its recorded inputs are unchanged.

The inputs are the files that are analysed together and their names, the settings, the versions of qprep and Python,
and every other file that was read on the way, or looked for and not found: a new file may shadow an import. Entries
are written in one step and never changed, so that runs may share a folder. An entry that cannot be read, or that
fails its checksum, is ignored.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from qprep.analysis.dependencies.partitions import Around, Neighbours, Partition, PartitionUnit
from qprep.analysis.effects.write_records import ExternalWrite
from qprep.analysis.interpreter.open_names import OpenNames
from qprep.analysis.symbols.folder_names import FolderNames
from qprep.analysis.symbols.module_resolver import Project
from qprep.analysis.symbols.module_summary import ModuleSummary, read_summary
from qprep.analysis.symbols.project_files import ExternalModule
from qprep.engine.config.settings import Settings, SettingsResolver
from qprep.engine.incremental.cache_folder import CacheFolder
from qprep.engine.incremental.plausible import are_plausible
from qprep.engine.incremental.records import from_record, to_record
from qprep.engine.results import CheckResult
from qprep.foundation.regular_files import read_bytes
from qprep.foundation.source import SourceError, SourceFile, display_path
from qprep.foundation.version import PACKAGE_FOLDER, __version__

DEFAULT_NAME = ".qprep_cache"
_KEPT_DAYS = 30  # entries that no run has used for so long are removed
# Settings that change what is shown or which files are read, not what is found in one.
_NO_MATTER = frozenset(("source", "excludes", "respect_gitignore", "output_format", "show_unknown", "baseline"))
_NO_MATTER |= frozenset(("cache_dir", "trace", "selection", "fix_selection", "enabled", "per_file_ignores"))
Json = Any  # what a file of JSON holds; whoever reads it checks it


@dataclass(slots=True)
class Cache:
    """The entries of one folder, as one run with these settings sees them.

    Raises QprepError if the folder holds other things than a cache of qprep's.
    """

    folder: Path
    settings: SettingsResolver
    hits: int = 0
    stored: int = 0
    _entries: CacheFolder = field(init=False)
    _stamp: str = ""
    _digests: dict[Path, str | None] = field(default_factory=dict)
    _settings: dict[int, str] = field(default_factory=dict)
    _found: dict[tuple[tuple[Path, ...], frozenset[str], str], Path | None] = field(default_factory=dict)
    _present: dict[str, bool] = field(default_factory=dict)
    _surfaces: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._entries = CacheFolder(self.folder)
        self._entries.claim()
        self._stamp = _stamp()

    # Results

    def result(self, part: Partition) -> CheckResult | None:
        """The cached result for these files; None if it may no longer hold."""
        body = self._load(self._key(part), (*part.paths, *part.context))
        if body is None:
            return None
        try:
            unknown = tuple(map(from_record, body["unknown"]))
            left = OpenNames.of_record(body["open"]) if body["open"] is not None else None
            result = CheckResult(
                tuple(map(from_record, body["findings"])), len(part.paths), len(unknown), unknown, left
            )
        except (KeyError, TypeError, ValueError, IndexError):
            return None
        if not are_plausible((*result.findings, *result.unknown_sites), {display_path(path) for path in part.paths}):
            return None
        self.hits += 1
        return result

    def keep(self, part: Partition, result: CheckResult, asked: Mapping[str, ExternalModule]) -> None:
        """Remember a result and the files outside the part that it depends on."""
        body = {
            "findings": [to_record(finding) for finding in result.findings],
            "unknown": [to_record(finding) for finding in result.unknown_sites],
            "open": result.open,
        }
        self._save(self._key(part), (*part.paths, *part.context), body, asked)

    def _key(self, part: Partition) -> str:
        around = _record(part.around)
        stamps = [list(pair) for pair in self.settings.registry.stamps]
        files = [[display_path(path), self.digest(path), self._settings_of(path)] for path in part.paths]
        context = [[display_path(path), self.digest(path)] for path in part.context]
        options = [part.notes_open_names, self.settings.ignore_suppressions]
        return self._hashed(["result", files, context, around, options, os.getcwd(), stamps])

    def _settings_of(self, path: Path) -> list[Any]:
        settings = self.settings.for_file(path)
        if id(settings) not in self._settings:
            names = [entry.name for entry in fields(Settings) if entry.name not in _NO_MATTER]
            self._settings[id(settings)] = repr([(name, _plain(getattr(settings, name))) for name in names])
        return [self._settings[id(settings)], sorted(settings.enabled_for(path))]

    # Divisions and summaries

    def division(self, paths: Sequence[Path]) -> list[PartitionUnit] | None:
        """The cached partitions of these files."""
        body = self._load(self._division_key(paths), paths)
        try:
            return None if body is None else [_unit(*entry) for entry in body]
        except (TypeError, ValueError):
            return None

    def keep_division(
        self, paths: Sequence[Path], units: Iterable[PartitionUnit], asked: Mapping[str, ExternalModule]
    ) -> None:
        """Remember how files were divided."""
        body = [[list(unit.names), *_record(unit.traits)] for unit in units]
        self._save(self._division_key(paths), paths, body, asked)

    def _division_key(self, paths: Sequence[Path]) -> str:
        return self._hashed(["division", [[os.path.abspath(path), self.digest(path)] for path in paths]])

    def neighbours(self, parts: Sequence[Partition], files: Sequence[Path]) -> list[Neighbours] | None:
        """The files and effects found around these parts, where no file has changed that it may depend on."""
        body = self._load(self._neighbours_key(parts, files), files)
        try:
            return None if body is None else [Neighbours(_at(places, files), _around(*rest)) for places, *rest in body]
        except (TypeError, ValueError, IndexError):
            return None

    def keep_neighbours(
        self,
        parts: Sequence[Partition],
        files: Sequence[Path],
        found: Sequence[Neighbours],
        asked: Mapping[str, ExternalModule],
    ) -> None:
        """Remember what is around parts, and the files that this depends on."""
        places = {path: place for place, path in enumerate(files)}
        body = [[[places[path] for path in each.context], *_record(each.around)] for each in found]
        self._save(self._neighbours_key(parts, files), files, body, asked)

    def _neighbours_key(self, parts: Sequence[Partition], files: Sequence[Path]) -> str:
        inside = [list(map(os.path.abspath, part.paths)) for part in parts]
        return self._hashed(["neighbours", inside, [[os.path.abspath(path), self.digest(path)] for path in files]])

    def summaries(self, paths: Sequence[Path]) -> Callable[[str, Path], ModuleSummary | None]:
        """The summaries known of files with the contents that they have now."""
        body = self._read(self._summaries_key(paths))
        records: dict[str, Any] = body if isinstance(body, dict) else {}

        def known(name: str, path: Path) -> ModuleSummary | None:
            record = records.get(f"{name} {self.digest(path)}")
            try:
                return ModuleSummary.of_record(record) if record is not None else None
            except (TypeError, ValueError, AttributeError):
                return None

        return known

    def keep_summaries(self, paths: Sequence[Path], summaries: Iterable[tuple[str, Path, ModuleSummary]]) -> None:
        """Remember summaries."""
        records = {f"{name} {self.digest(path)}": summary.record() for name, path, summary in summaries}
        self._write(self._summaries_key(paths), records)

    def _summaries_key(self, paths: Sequence[Path]) -> str:
        return self._hashed(["summaries", os.path.abspath(paths[0])])

    # Entries

    def digest(self, path: Path) -> str | None:
        """A name for the bytes of a file; None if it cannot be read."""
        if path not in self._digests:
            try:
                self._digests[path] = hashlib.blake2b(read_bytes(path), digest_size=16).hexdigest()
            except OSError:
                self._digests[path] = None
        return self._digests[path]

    def _hashed(self, key: list[Any]) -> str:
        text = json.dumps([self._stamp, *key])
        return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()

    def _load(self, key: str, paths: Sequence[Path]) -> Json:
        """The body of an entry whose files other than `paths` are unchanged."""
        entry = self._read(key)
        try:
            return entry["body"] if entry is not None and self._holds(entry, paths) else None
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def _holds(self, entry: dict[str, Any], paths: Sequence[Path]) -> bool:
        project = Project(lambda _: None, paths)
        names = {name: os.path.abspath(path) for name, path in project.given.items()}
        if entry["given"] != hashlib.blake2b(json.dumps(names).encode(), digest_size=16).hexdigest():
            return False
        if any(self._exists(os.path.join(root, *gap.split("."))) for root in project.roots for gap in entry["gaps"]):
            return False
        if any(self._find(project, name) is not None for name in entry["missing"]):
            return False
        return all(
            (found := self._imported(project, name)) is not None
            and os.path.abspath(found) == path
            and (self.digest(found) == digest or (names is not None and self._names(name, found) == names))
            for name, path, digest, names in entry["used"]
        )

    def _names(self, name: str, path: Path) -> str | None:
        """A digest of the names of a module as its file is now."""
        if path not in self._surfaces:
            try:
                text = SourceFile.read(path).text
            except SourceError:
                return None
            self._surfaces[path] = _surface(read_summary(name, path, text))
        return self._surfaces[path]

    def _find(self, project: Project, name: str) -> Path | None:
        key = (project.roots, project.tops, name)
        if key not in self._found:
            self._found[key] = project.path(name)
        return self._found[key]

    def _imported(self, project: Project, name: str) -> Path | None:
        """The file of a module that was used; a package next to that of the given files counts as well."""
        return self._find(project, name) or project.imported(name)

    def _exists(self, stem: str) -> bool:
        """True if a module or a folder of this name has come up."""
        if stem not in self._present:
            self._present[stem] = os.path.lexists(stem) or os.path.lexists(f"{stem}.py")
        return self._present[stem]

    def _save(self, key: str, paths: Sequence[Path], body: Json, asked: Mapping[str, ExternalModule]) -> None:
        project = Project(lambda _: None, paths)
        names = {name: os.path.abspath(path) for name, path in project.given.items()}
        used = [
            [name, os.path.abspath(path), self.digest(path), _surface(names) if names is not None else None]
            for name, (path, names) in asked.items()
            if path is not None
        ]
        absent = {name for name, (path, _) in asked.items() if path is None and _is_dotted(name)}
        gaps = _gaps(project.roots, absent)
        missing = sorted(name for name in absent if gaps[name] is None)
        known_gaps = sorted({gap for gap in gaps.values() if gap is not None})
        given = hashlib.blake2b(json.dumps(names).encode(), digest_size=16).hexdigest()
        self._write(
            key,
            {
                "given": given,
                "used": used,
                "gaps": known_gaps,
                "missing": missing,
                "body": body,
            },
        )

    def _read(self, key: str) -> Json:
        content = self._entries.read(key)
        if content is None:
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            return None

    def _write(self, key: str, content: Json) -> None:
        # A folder that cannot be written to is no reason to fail.
        self.stored += self._entries.write(key, json.dumps(content, separators=(",", ":")).encode())

    def tidy(self) -> None:
        """Remove entries that no run has used for long, where this run has added some."""
        if self.stored:
            self._entries.tidy(_KEPT_DAYS)


def _unit(names: list[str], *around: Any) -> PartitionUnit:
    return PartitionUnit(tuple(names), _around(*around))


def _around(tested_names: list[str], child_iterations: list[str], writes: list[Any]) -> Around:
    return Around(frozenset(tested_names), tuple(child_iterations), frozenset(map(ExternalWrite.of_record, writes)))


def _record(around: Around) -> list[Any]:
    """The effects around a part as plain data."""
    return [sorted(around.tested_names), list(around.child_iterations), sorted(around.writes)]


def _at(places: list[int], paths: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(paths[place] for place in places)


def _stamp() -> str:
    """The version of Python and qprep, down to the files that it runs from."""
    home = PACKAGE_FOLDER
    files = sorted(
        (os.path.relpath(path, home), status.st_size, status.st_mtime_ns)
        for folder, _, names in os.walk(home)
        for path in (os.path.join(folder, name) for name in names if name.endswith(".py"))
        if (status := os.stat(path))
    )
    return repr((__version__, sys.version_info[:3], files))


def _surface(names: ModuleSummary) -> str:
    """A digest of what other files may want of one."""
    return hashlib.blake2b(json.dumps(names.surface).encode(), digest_size=16).hexdigest()


def _is_dotted(name: str) -> bool:
    return bool(name) and all(part.isidentifier() for part in name.split("."))


def _gaps(roots: Sequence[Path], names: Iterable[str]) -> dict[str, str | None]:
    """The first part of each dotted name that nothing on disk is called: without it, the rest is not there either."""
    folders = FolderNames()
    holders: dict[str, list[str]] = {"": list(map(os.fspath, roots))}  # the roots that hold a name's beginning

    def gap(name: str) -> str | None:
        parts, before = name.split("."), ""
        for length in range(1, len(parts) + 1):
            known = ".".join(parts[:length])
            if known not in holders:
                holders[known] = [root for root in holders[before] if folders.may_hold(root, parts[:length])]
            if not holders[known]:
                return known
            before = known
        return None

    return {name: gap(name) for name in names}


def _plain(value: object) -> object:
    """A setting as data whose text is the same in every process."""
    if is_dataclass(value) and not isinstance(value, type):
        return [(entry.name, _plain(getattr(value, entry.name))) for entry in fields(value) if entry.name != "patterns"]
    if isinstance(value, frozenset | set):
        return sorted(map(repr, map(_plain, value)))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return sorted((str(name), repr(_plain(item))) for name, item in value.items())
    return repr(value)
