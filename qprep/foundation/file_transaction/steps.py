"""The steps of a rewrite of several files, which the process that began it and one that finds it stopped both take."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from qprep.foundation.file_transaction.folder_lock import FolderLock, LockedError
from qprep.foundation.file_transaction.journal import Journal, JournalEntry, Phase, digest, read_journal
from qprep.foundation.regular_files import is_regular, read_bytes


def bring_back(journal: Journal) -> list[Path]:
    """Put the old file in the place of each one that was replaced, users before definitions; raises OSError.

    A file that somebody has saved since is left, and returned.
    """
    saved: list[Path] = []
    for entry in reversed(journal.entries):
        if os.path.lexists(entry.staged) or not is_regular(entry.backup):
            continue  # never replaced, or back already
        if content_digest(entry.target) in (entry.new, None):
            os.replace(entry.backup, entry.target)
        else:
            saved.append(entry.target)
    sync_folders(journal.folders)
    return saved


def finish(journal: Journal) -> None:
    """Replace the files that still are to be replaced; raises OSError."""
    for entry in journal.entries:
        if os.path.lexists(entry.staged):
            os.replace(entry.staged, entry.target)
    sync_folders(journal.folders)


def can_finish(entry: JournalEntry) -> bool:
    """True if a file was replaced and not brought back, or still is as it was when its new text was made."""
    if not os.path.lexists(entry.staged):
        return os.path.lexists(entry.backup) or content_digest(entry.target) != entry.old
    return (
        is_regular(entry.staged)
        and content_digest(entry.staged) == entry.new
        and content_digest(entry.target) == entry.old
    )


def clear(journal: Journal, lock: FolderLock, held: Iterable[FolderLock] = ()) -> None:
    """Remove what a rewrite put next to its files, and its journals, the whole one last; raises OSError.

    `held` are the locks of the other folders, where the process has them.
    """
    for entry in journal.entries:
        for path in (entry.staged, entry.backup):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    mine = {other.folder: other for other in held}
    for folder in journal.folders:
        if folder == lock.folder:
            continue
        if folder in mine:
            mine[folder].remove()
        else:
            _remove_pointer(folder, journal.key)
    lock.remove()


def _remove_pointer(folder: Path, key: str) -> None:
    try:
        other = FolderLock.find(folder)
    except (LockedError, OSError):
        return  # whoever holds it removes it, since it leads nowhere by then
    if other is None:
        return
    try:
        known = read_journal(other.read(), folder)
        if known is not None and known[0] is Phase.POINTER and known[1].key == key:
            other.remove()
    finally:
        other.release()


def content_digest(path: Path) -> str | None:
    """The digest of a file's content; None if it is not there, or no regular file."""
    try:
        return digest(read_bytes(path))
    except OSError:
        return None


def sync_folders(folders: Iterable[Path]) -> None:
    """Write the names in some folders down to the disk, where the system has a way to."""
    for folder in folders:
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
