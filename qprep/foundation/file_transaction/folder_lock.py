"""The lock of a folder in which files are rewritten: its journal file, held open; a process that dies lets go of it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

JOURNAL_NAME = ".qprep-fix.journal"
_LATE_BYTE = 1 << 30  # where Windows locks a byte, so that others may still read the file
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class LockedError(Exception):
    """Another process holds the lock of the folder."""


class FolderLock:
    """The journal file of one folder, locked until `release` or the end of the process.

    Only who holds the lock removes the file, and only while the folder still has this very file under its name: so two
    processes never hold the same folder.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> FolderLock:
        """Lock a folder; raises LockedError where another process holds it, OSError where that is not possible."""
        while True:
            lock = cls(folder, os.open(folder / JOURNAL_NAME, _FLAGS | os.O_CREAT, 0o644))
            if lock._locked():
                return lock

    @classmethod
    def find(cls, folder: Path) -> FolderLock | None:
        """Lock a folder that has a journal; None if it has none. Raises as `take` does."""
        while True:
            try:
                lock = cls(folder, os.open(folder / JOURNAL_NAME, _FLAGS))
            except FileNotFoundError:
                return None
            if lock._locked():
                return lock

    def _locked(self) -> bool:
        """Lock the file that was opened; False, with it closed, where its last holder removed it meanwhile."""
        try:
            _lock(self._descriptor)
        except BaseException:
            self.release()
            raise
        if not self._is_current():
            self.release()
            return False
        return True

    def read(self) -> bytes:
        """The content of the journal."""
        size = os.fstat(self._descriptor).st_size
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, size)

    def write(self, content: bytes) -> None:
        """Write the content of an empty journal, down to the disk."""
        view = memoryview(content)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fsync(self._descriptor)

    def overwrite_start(self, content: bytes) -> None:
        """Replace the journal's first bytes, down to the disk: that needs no room, and so works on a full disk."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, content)
        os.fsync(self._descriptor)

    def remove(self) -> None:
        """Remove the journal file; raises OSError."""
        if self._is_current():
            os.unlink(self.folder / JOURNAL_NAME)

    def release(self) -> None:
        """Let go of the folder."""
        os.close(self._descriptor)

    def _is_current(self) -> bool:
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self._descriptor), os.lstat(self.folder / JOURNAL_NAME))
        return False


def _lock(descriptor: int) -> None:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LATE_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise LockedError from error
        # A file system without locks: the comparison of each file with what was read is left as the only guard.
