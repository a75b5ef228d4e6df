"""The journal of a rewrite of several files: the files, and its progress."""

from __future__ import annotations

import enum
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PHASE_BYTES = 8


class Phase(enum.Enum):
    """The progress of a rewrite; all values are of one length, so that one replaces another in place."""

    PREPARE = b"prepare "  # no file is replaced yet
    COMMIT = b"commit  "  # all new texts are on the disk; files are being replaced
    UNDO = b"undo    "  # files that were replaced are being brought back
    DONE = b"done    "  # only the files beside are left to remove
    POINTER = b"pointer "  # another folder's journal speaks for this folder, too


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One file of a rewrite, with the new text and the old file next to it.

    `target` is the file, links resolved; `old` and `new` are digests of its content before and after.
    """

    target: Path
    staged: Path
    backup: Path
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Journal:
    """The files of one rewrite in the order in which they are replaced; `home` is the folder of the whole journal."""

    key: str
    home: Path
    entries: tuple[JournalEntry, ...] = ()

    @property
    def folders(self) -> list[Path]:
        """The folders of the files, in an order that all processes lock them in."""
        return sorted({entry.target.parent for entry in self.entries})

    def content(self, phase: Phase) -> bytes:
        """The journal as a file in its home."""
        files = [
            [_relative(entry.target.parent, self.home), entry.target.name, entry.old, entry.new]
            for entry in self.entries
        ]
        return _content(phase, {"key": self.key, "files": files})

    def pointer(self, folder: Path) -> bytes:
        """The journal as another folder has it: where to find the whole one."""
        return _content(Phase.POINTER, {"key": self.key, "home": _relative(self.home, folder)})


def make_journal(key: str, files: Sequence[tuple[Path, bytes, bytes]]) -> Journal:
    """The journal of some files (target, old bytes, new bytes); its home is the first one's folder."""
    home = files[0][0].parent
    entries = [
        _entry(key, number, target, (digest(old), digest(new))) for number, (target, old, new) in enumerate(files)
    ]
    return Journal(key, home, tuple(entries))


def read_journal(content: bytes, folder: Path) -> tuple[Phase, Journal] | None:
    """The content of a folder's journal; None if it is incomplete or not qprep's."""
    try:
        phase = Phase(content[:_PHASE_BYTES])
        record = json.loads(content[_PHASE_BYTES:])
        key = str(record["key"])
        if not key.isalnum():
            return None
        if phase is Phase.POINTER:
            return phase, Journal(key, Path(os.path.normpath(folder / record["home"])))
        entries = [
            _entry(key, number, Path(os.path.normpath(folder / place)) / _plain(name), (str(old), str(new)))
            for number, (place, name, old, new) in enumerate(record["files"])
        ]
        return phase, Journal(key, folder, tuple(entries))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def digest(data: bytes) -> str:
    """A name for the bytes of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _entry(key: str, number: int, target: Path, digests: tuple[str, str]) -> JournalEntry:
    beside = f".qprep-{key}-{number}"
    return JournalEntry(target, target.with_name(f"{beside}.new"), target.with_name(f"{beside}.old"), *digests)


def _plain(name: str) -> str:
    if name in ("", os.curdir, os.pardir) or name != os.path.basename(name):
        raise ValueError(f"expected the name of a file, found {name!r}")
    return name


def _content(phase: Phase, record: dict[str, object]) -> bytes:
    return phase.value + json.dumps(record).encode() + b"\n"


def _relative(folder: Path, start: Path) -> str:
    try:
        return os.path.relpath(folder, start)
    except ValueError:  # another drive
        return str(folder)
