"""Replace the contents of several files: all of them or none.

The new texts are written next to the files and synced first, then the files are replaced one by one, in the order
given. Each old file is kept next to its place until the last one is replaced, so that whatever goes wrong is undone. A
journal in each folder says what is under way; where the process is killed, the next run finds it and finishes or undoes
the work (`recover_files`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qprep.foundation.errors import QprepError
from qprep.foundation.file_transaction.folder_lock import FolderLock, LockedError
from qprep.foundation.file_transaction.journal import Journal, JournalEntry, Phase, make_journal
from qprep.foundation.file_transaction.steps import bring_back, clear, sync_folders
from qprep.foundation.regular_files import read_bytes

_UNCHANGED = "no file was changed"


@dataclass(frozen=True, slots=True)
class Replacement:
    """The new bytes of a file, and those that it held when they were made. A link is followed and stays."""

    path: str | os.PathLike[str]
    data: bytes
    expected: bytes

    @property
    def target(self) -> Path:
        """The file itself, links resolved."""
        return Path(os.path.realpath(self.path))


def replace_files(replacements: Sequence[Replacement]) -> None:
    """Replace all files, in this order: those that define something before those that use it.

    Raises QprepError, with every file as it was, where one no longer holds what is expected, cannot be written, or lies
    in a folder in which another process replaces files. Mode and, where permitted, owner are kept.
    """
    if not replacements:
        return
    for wanted in replacements:
        _check(wanted)
    files = [(wanted.target, wanted.expected, wanted.data) for wanted in replacements]
    journal = make_journal(secrets.token_hex(6), files)
    locks: list[FolderLock] = []
    try:
        locks.extend(map(_take, journal.folders))  # where one cannot be locked, the others are in the list
        _replace(journal, replacements, locks)
    finally:
        for lock in locks:
            if not lock.read():  # nothing was begun
                with contextlib.suppress(OSError):
                    lock.remove()
            lock.release()


def _take(folder: Path) -> FolderLock:
    try:
        lock = FolderLock.take(folder)
    except LockedError:
        raise QprepError(f"another run of qprep replaces files in `{folder}`; {_UNCHANGED}") from None
    except OSError as error:
        raise QprepError(f"`{folder}` cannot be written to: {error.strerror}; {_UNCHANGED}") from error
    if lock.read():
        lock.release()
        raise QprepError(f"an earlier run of qprep was stopped in `{folder}`; {_UNCHANGED}: run qprep again")
    return lock


def _replace(journal: Journal, replacements: Sequence[Replacement], locks: Sequence[FolderLock]) -> None:
    home = next(lock for lock in locks if lock.folder == journal.home)
    at = replacements[0]
    try:
        home.write(journal.content(Phase.PREPARE))
        for lock in locks:
            if lock is not home:
                lock.write(journal.pointer(lock.folder))
        for at, entry in zip(replacements, journal.entries, strict=True):
            _stage(at, entry)
        sync_folders(journal.folders)
        home.overwrite_start(Phase.COMMIT.value)
        for at, entry in zip(replacements, journal.entries, strict=True):
            _check(at)  # nothing but the moment between these two lines is left in which a save would be lost
            os.replace(entry.staged, entry.target)
        sync_folders(journal.folders)
        for at, entry in zip(replacements, journal.entries, strict=True):
            _check_old(at, entry)
    except BaseException as error:  # Ctrl-C too must leave nothing behind
        _undo(journal, home, locks)
        if isinstance(error, OSError):
            raise _not_written(at, error) from error
        raise
    with contextlib.suppress(OSError):  # the files are replaced, whatever the journal says
        home.overwrite_start(Phase.DONE.value)
    with contextlib.suppress(OSError):  # a later run removes what is left beside them
        clear(journal, home, locks)


def _undo(journal: Journal, home: FolderLock, locks: Sequence[FolderLock]) -> None:
    try:
        if home.read().startswith(Phase.COMMIT.value):
            with contextlib.suppress(OSError):  # bringing back needs no room on the disk, whatever the journal says
                home.overwrite_start(Phase.UNDO.value)
            bring_back(journal)
        clear(journal, home, locks)
    except OSError as error:
        raise QprepError(
            f"the rewritten files cannot be restored: {error.strerror}; run qprep again to restore them"
        ) from error


def _check(wanted: Replacement) -> None:
    """Raise QprepError if a file is not as expected, or must not be written."""
    try:
        same = read_bytes(wanted.target) == wanted.expected
    except OSError as error:
        raise _not_written(wanted, error) from error
    if not same:
        raise _changed(wanted)
    if not os.access(wanted.target, os.W_OK):
        raise QprepError(f"{wanted.path}: the file is read-only; {_UNCHANGED}")


def _check_old(wanted: Replacement, entry: JournalEntry) -> None:
    """Raise QprepError if somebody wrote into the old file itself, just before it was replaced."""
    if read_bytes(entry.backup) != wanted.expected:
        raise _changed(wanted)


def _stage(wanted: Replacement, entry: JournalEntry) -> None:
    """Put the new text and the old file next to a file."""
    status = entry.target.stat()
    with open(os.open(entry.staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(wanted.data)
        stream.flush()
        _keep_owner(entry.staged, status)
        entry.staged.chmod(stat.S_IMODE(status.st_mode))
        os.fsync(stream.fileno())
    try:
        os.link(entry.target, entry.backup)
    except OSError:  # a file system without hard links
        shutil.copy2(entry.target, entry.backup)
        _keep_owner(entry.backup, status)


def _keep_owner(path: Path, status: os.stat_result) -> None:
    mine = path.stat()
    if hasattr(os, "chown") and (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
        with contextlib.suppress(PermissionError):
            os.chown(path, status.st_uid, status.st_gid)


def _not_written(wanted: Replacement, error: OSError) -> QprepError:
    return QprepError(f"{wanted.path}: the file cannot be written: {error.strerror}; {_UNCHANGED}")


def _changed(wanted: Replacement) -> QprepError:
    return QprepError(f"{wanted.path}: the file changed while it was being fixed; {_UNCHANGED}")
