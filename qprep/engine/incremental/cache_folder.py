"""The folder that a cache lives in: it bears qprep's own tag, and nothing but qprep's own entries is ever removed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from qprep.foundation.atomic_write import replace, umask
from qprep.foundation.errors import QprepError
from qprep.foundation.regular_files import read_bytes

TAG_NAME = "CACHEDIR.TAG"
# The first line is that of https://bford.info/cachedir; the second one says whose cache it is.
TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of qprep's; it may be deleted.\n"
_IGNORE_NAME, _IGNORE = ".gitignore", b"*\n"
_GROUP = re.compile(r"[0-9a-f]{2}")
_ENTRY = re.compile(r"[0-9a-f]{38}")
_TEMPORARY = re.compile(r"\.[0-9a-f]{38}\.\w+\.qprep")  # an entry that was being written
_DAY = 86_400
_SUM_LENGTH = 32  # hexadecimal digits


class CacheFolder:
    """The entries of one folder, each a file `ab/cdef…` named by its key's 40 hexadecimal digits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_ready = False

    def claim(self) -> None:
        """Raise QprepError, naming the folder, where it holds something and does not bear qprep's tag."""
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise QprepError(f"--cache-dir: expected a folder, found something else at `{self.path}`")
        if self._is_usable():
            return
        raise QprepError(
            f"--cache-dir: expected an empty folder or one that qprep made, found other files in `{self.path}`; "
            f"name another one with --cache-dir or `cache-dir`, or use --no-cache"
        )

    def read(self, key: str) -> bytes | None:
        """The content of an entry; None if there is none or it is damaged."""
        place = self._place(key)
        try:
            content = _content(read_bytes(place))
            if time.time() - place.stat().st_mtime > _DAY:
                os.utime(place)
        except OSError:
            return None
        return content

    def write(self, key: str, content: bytes) -> bool:
        """Write an entry in one step; False where the folder cannot be written to or is not qprep's."""
        try:
            if not self._is_ready:
                self._make_ready()
            place = self._place(key)
            place.parent.mkdir(exist_ok=True)
            replace(place, _sum(content) + b"\n" + content)
        except OSError:
            return False
        return True

    def tidy(self, days: float) -> None:
        """Remove the entries that no run has used for so many days, and what killed runs left of others.

        A file is removed where the folder bears qprep's tag, the file's name is that of an entry, and its first line
        is the check sum of the rest; links are not followed.
        """
        if not self._is_tagged():
            return
        now = time.time()
        for entry in self._files():
            with contextlib.suppress(OSError):
                age = now - entry.stat(follow_symlinks=False).st_mtime
                if _TEMPORARY.fullmatch(entry.name):
                    is_stale = age > _DAY
                else:
                    is_stale = age > days * _DAY and _content(read_bytes(entry.path)) is not None
                if is_stale:
                    os.unlink(entry.path)

    def _files(self) -> Iterator[os.DirEntry[str]]:
        """Regular files in the folder's groups whose names are those of entries, or of entries half written."""
        for group in _entries(self.path):
            if _GROUP.fullmatch(group.name) and group.is_dir(follow_symlinks=False):
                for entry in _entries(group.path):
                    named = _ENTRY.fullmatch(entry.name) or _TEMPORARY.fullmatch(entry.name)
                    if named and entry.is_file(follow_symlinks=False):
                        yield entry

    def _place(self, key: str) -> Path:
        return self.path / key[:2] / key[2:]

    def _is_tagged(self) -> bool:
        return _holds(self.path / TAG_NAME, TAG)

    def _is_usable(self) -> bool:
        # In this order: a folder that another run makes meanwhile is missing at first, and tagged from then on.
        return self._is_unused() or self._is_tagged()

    def _is_unused(self) -> bool:
        """True if the folder is missing, empty, or one in which a run was stopped before it wrote the tag."""
        names = {entry.name for entry in _entries(self.path)}
        ours = {name for name in names if name.startswith(f".{TAG_NAME}.") and name.endswith(".qprep")}
        if _IGNORE_NAME in names and _holds(self.path / _IGNORE_NAME, _IGNORE):
            ours.add(_IGNORE_NAME)
        return names == ours

    def _make_ready(self) -> None:
        """Make the folder, with its tag from its first moment on: another run may look at it meanwhile."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".qprep", dir=self.path.parent))
            try:
                made.chmod(0o777 & ~umask())
                (made / TAG_NAME).write_bytes(TAG)
                (made / _IGNORE_NAME).write_bytes(_IGNORE)
                made.rename(self.path)
            except OSError:  # another run was faster
                shutil.rmtree(made, ignore_errors=True)
        if not self._is_tagged():
            if not self._is_usable():
                raise FileExistsError(0, "the folder holds other files", str(self.path))
            replace(self.path / TAG_NAME, TAG)
            replace(self.path / _IGNORE_NAME, _IGNORE)
        self._is_ready = True


def _entries(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _holds(path: Path, data: bytes) -> bool:
    try:
        return read_bytes(path, len(data)) == data
    except OSError:
        return False


def _content(data: bytes) -> bytes | None:
    """The content after an entry's checksum; None if the checksum does not match."""
    mark, content = data[:_SUM_LENGTH], data[_SUM_LENGTH + 1 :]
    return content if data[_SUM_LENGTH : _SUM_LENGTH + 1] == b"\n" and mark == _sum(content) else None


def _sum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_SUM_LENGTH // 2).hexdigest().encode()
