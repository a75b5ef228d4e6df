"""Finish or undo what a killed run left half done, and remove what it left behind.

A rewrite goes on where every file that is not replaced yet still is as it was; otherwise the replaced ones are brought
back. Only files named as a rewrite of qprep's names them, in a folder that its journal and a journal of that folder
agree on, are touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qprep.foundation.errors import QprepError
from qprep.foundation.file_transaction.folder_lock import JOURNAL_NAME, FolderLock, LockedError
from qprep.foundation.file_transaction.journal import Journal, Phase, read_journal
from qprep.foundation.file_transaction.steps import bring_back, can_finish, clear, finish
from qprep.foundation.regular_files import read_bytes
from qprep.foundation.source import display_path


@dataclass(frozen=True, slots=True)
class Recovered:
    """The recovery of a rewrite that was stopped: `verb` is "finished" or "undone"; `files` are its files.

    `saved` are files that somebody saved after the rewrite had replaced them; they are left as they are.
    """

    verb: str
    files: tuple[Path, ...]
    saved: tuple[Path, ...] = ()


def recover(folders: Iterable[Path]) -> list[Recovered]:
    """Recover what was stopped in these folders; raises QprepError if that cannot be done.

    A rewrite that another process works on just now is not changed.
    """
    found: list[Recovered] = []
    for folder in sorted(set(folders)):
        if os.path.lexists(folder / JOURNAL_NAME):
            try:
                found += _recover_folder(folder)
            except OSError as error:
                raise QprepError(
                    f"{display_path(folder / JOURNAL_NAME)}: an earlier run was stopped here, and its work can be "
                    f"neither finished nor undone: {error.strerror}"
                ) from error
    return found


def _recover_folder(folder: Path) -> list[Recovered]:
    try:
        lock = FolderLock.find(folder)
    except LockedError:
        return []
    if lock is None:
        return []
    try:
        known = read_journal(lock.read(), folder)
        if known is None:  # stopped before anything was put beside the files
            lock.remove()
            return []
        phase, journal = known
        if phase is not Phase.POINTER:
            return _recover_journal(phase, journal, lock)
    finally:
        lock.release()
    return _follow_pointer(folder, journal)


def _follow_pointer(folder: Path, pointer: Journal) -> list[Recovered]:
    """Recover the rewrite that a folder's journal points to; a pointer that leads nowhere is removed."""
    found = _recover_folder(pointer.home) if pointer.home != folder else []
    if _is_open(pointer):
        return found
    lock = FolderLock.find(folder)
    if lock is not None:
        try:
            known = read_journal(lock.read(), folder)
            if known is not None and known[1].key == pointer.key:
                lock.remove()
        finally:
            lock.release()
    return found


def _recover_journal(phase: Phase, journal: Journal, lock: FolderLock) -> list[Recovered]:
    if not all(_agrees(folder, journal) for folder in journal.folders):
        raise OSError(0, "the journals of its folders do not agree")
    found: list[Recovered] = []
    files = tuple(entry.target for entry in journal.entries)
    if phase is Phase.COMMIT and all(map(can_finish, journal.entries)):
        finish(journal)
        found.append(Recovered("finished", files))
    elif phase in (Phase.COMMIT, Phase.UNDO):
        lock.overwrite_start(Phase.UNDO.value)
        found.append(Recovered("undone", files, tuple(bring_back(journal))))
    if found:
        lock.overwrite_start(Phase.DONE.value)
    clear(journal, lock)
    return found


def _is_open(pointer: Journal) -> bool:
    """True if the journal that a pointer names is still there: another process is at it just now."""
    known = _known(pointer.home)
    return known is not None and known[0] is not Phase.POINTER and known[1].key == pointer.key


def _agrees(folder: Path, journal: Journal) -> bool:
    """True if a folder's own journal belongs to this rewrite, or nothing of the rewrite is in it."""
    beside = (
        path for entry in journal.entries if entry.target.parent == folder for path in (entry.staged, entry.backup)
    )
    if folder == journal.home or not any(map(os.path.lexists, beside)):
        return True
    known = _known(folder)
    return known is not None and known[0] is Phase.POINTER and known[1].key == journal.key


def _known(folder: Path) -> tuple[Phase, Journal] | None:
    try:
        return read_journal(read_bytes(folder / JOURNAL_NAME), folder)
    except OSError:
        return None
