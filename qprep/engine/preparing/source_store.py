"""Rewritten sources of packages, kept in the cache: made once for each content of a package and version of qprep.

    FOLDER/known/NAME.json       the state of files last seen, and the entry that belongs to it
    FOLDER/ENTRY/manifest.json   what was rewritten, and what was left
    FOLDER/ENTRY/sources/…       the rewritten files, below folders that are named as the package's

An entry's name is a digest of the contents that it came of, of the version of Python and of qprep, and of installed
plugins. It is put there in one step and never changed. Whether contents are as they were is decided by path, size and
times of each file, as git does; where one differs, the contents are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import py_compile
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from qprep.checks.base import ENTRY_POINT_GROUP
from qprep.engine.preparing.package_files import is_package
from qprep.engine.preparing.rewriting import LeftFinding, Rewriting
from qprep.foundation.atomic_write import replace
from qprep.foundation.version import PACKAGE_FOLDER, __version__

_MANIFEST = "manifest.json"
_FORMAT = 1
_PATH = b"__file__"  # a match in a string keeps a path that nobody asks for, and nothing else
_DAY = 86_400
_KEPT_DAYS = 30  # entries that nothing has used for so long are removed


@dataclass(frozen=True, slots=True)
class PreparedModule:
    """A module of a package, its original file and the rewritten one.

    looks_at_path  whether its code reads `__file__`
    """

    name: str
    original: Path
    rewritten: Path
    looks_at_path: bool = False


@dataclass(frozen=True, slots=True)
class PreparedSources:
    """The rewritten modules of some files by dotted name, and what was left in them; fields as in `Rewriting`."""

    modules: Mapping[str, PreparedModule]
    fixed: int = 0
    left: tuple[LeftFinding, ...] = ()
    failed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()

    @property
    def rewritten(self) -> list[str]:
        """The modules in which a fix changed something, sorted."""
        return sorted(set(self.modules) - set(self.moved))


@dataclass(frozen=True, slots=True)
class FileSet:
    """The files to rewrite by module, and all files of the package that have a say in how (themselves included).

    label  what is done with the files, and for whom: results under different labels are kept apart
    """

    label: str
    files: Mapping[str, Path]
    every: tuple[Path, ...]


def prepared_sources(folder: Path, wanted: FileSet, rewrite: Callable[[], Rewriting]) -> PreparedSources:
    """The rewritten sources of `wanted` from the cache in `folder`; `rewrite` makes them where they are not there."""
    listing = _listing(wanted)
    pointer = folder / "known" / f"{_digest([wanted.label, *sorted(map(str, wanted.files.values()))])}.json"
    entry = _known(pointer, listing)
    if entry is not None and (found := _load(folder / entry, wanted)) is not None:
        return found
    entry = _digest([_FORMAT, wanted.label, *_stamp(), *_contents(wanted)])
    found = _load(folder / entry, wanted)
    if found is None:
        _store(folder, entry, wanted, rewrite())
        _tidy(folder)
        found = _load(folder / entry, wanted)
    if found is None:
        raise OSError(f"{folder / entry} cannot be read back")
    with contextlib.suppress(OSError):
        pointer.parent.mkdir(exist_ok=True)
        replace(pointer, json.dumps({"listing": listing, "entry": entry}).encode())
    return found


def _known(pointer: Path, listing: str) -> str | None:
    """The entry that belongs to files in this state; None if nobody has seen them."""
    try:
        record = json.loads(pointer.read_bytes())
        return str(record["entry"]) if record["listing"] == listing else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _load(place: Path, wanted: FileSet) -> PreparedSources | None:
    """The content of an entry; None if it is not whole."""
    try:
        record = json.loads((place / _MANIFEST).read_bytes())
        modules = {
            name: PreparedModule(name, wanted.files[name], place / relative, bool(looks_at_path))
            for name, (relative, looks_at_path) in record["modules"].items()
        }
        left = tuple(LeftFinding(**finding) for finding in record["left"])
        failed, moved = tuple(map(str, record["failed"])), tuple(map(str, record["moved"]))
        found = PreparedSources(modules, int(record["fixed"]), left, failed, moved)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not all(module.rewritten.is_file() for module in modules.values()):
        return None
    with contextlib.suppress(OSError):
        if time.time() - (place / _MANIFEST).stat().st_mtime > _DAY:
            os.utime(place / _MANIFEST)
    return found


def _tidy(folder: Path) -> None:
    """Remove entries that nothing has used for long."""
    limit = time.time() - _KEPT_DAYS * _DAY
    for manifest in folder.glob(f"*/{_MANIFEST}"):
        with contextlib.suppress(OSError):
            if manifest.stat().st_mtime < limit:
                shutil.rmtree(manifest.parent)


def _store(folder: Path, entry: str, wanted: FileSet, rewriting: Rewriting) -> None:
    """Put an entry there in one step; another process that made the same one meanwhile is as good."""
    building = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        modules: dict[str, tuple[str, bool]] = {}
        for name, data in rewriting.sources.items():
            relative = _relative(name, wanted.files[name])
            modules[name] = (relative, _PATH in data)
            path = building / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            # compiled here: where Python is told to write no bytecode, each import would compile the file again
            py_compile.compile(str(path), dfile=str(folder / entry / relative), quiet=2)
        record: dict[str, Any] = {
            "modules": modules,
            "fixed": rewriting.fixed,
            "left": [asdict(finding) for finding in rewriting.left],
            "failed": list(rewriting.failed),
            "moved": list(rewriting.moved),
        }
        (building / _MANIFEST).write_text(json.dumps(record, indent=1), encoding="utf-8")
        building.chmod(0o755)
        _put(building, folder / entry)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _put(building: Path, place: Path) -> None:
    """Rename a folder; one that is in the way was made by another process meanwhile, or is not whole: it goes."""
    with contextlib.suppress(OSError):
        building.rename(place)
        return
    aside = Path(tempfile.mkdtemp(prefix=".old-", dir=place.parent))
    place.rename(aside / "entry")
    building.rename(place)
    shutil.rmtree(aside, ignore_errors=True)


def _relative(module: str, path: Path) -> str:
    folders = module.split(".")
    parts = [*folders, "__init__.py"] if is_package(path) else [*folders[:-1], f"{folders[-1]}.py"]
    return "/".join(["sources", *parts])


def _listing(wanted: FileSet) -> str:
    """A digest of the state of the files, of qprep and of Python; nothing is read."""
    return _digest([_FORMAT, *_stamp(), sorted(wanted.files), *_states(wanted.every)])


def _contents(wanted: FileSet) -> Iterable[object]:
    """The files' names and contents."""
    yield sorted((name, str(path)) for name, path in wanted.files.items())
    for path in sorted(wanted.every):
        yield [str(path), hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()]


def _states(paths: Iterable[Path]) -> Iterable[object]:
    for path in paths:
        status = os.stat(path)
        yield [str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _stamp() -> list[object]:
    """The inputs of rewrites other than the files: Python, qprep down to its own files, and plugins."""
    own = sorted(PACKAGE_FOLDER.rglob("*.py"))
    return [__version__, list(sys.version_info[:3]), list(_states(own)), _plugins()]


def _plugins() -> list[list[str]]:
    if not entry_points(group=ENTRY_POINT_GROUP):
        return []
    from qprep.engine.rule_registry import installed

    return [list(stamp) for stamp in installed().stamps]


def _digest(values: Iterable[object]) -> str:
    return hashlib.blake2b(json.dumps(list(values)).encode(), digest_size=20).hexdigest()
