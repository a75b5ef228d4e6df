"""Reading of files that foreign projects name: regular files only, so that no device or pipe is read without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LIMIT = 256 * 1024 * 1024  # bytes; far above any source, setting or baseline


class NotRegularError(OSError):
    """A path that names a device, a pipe, a socket or a folder, or a file that is too large to be meant."""

    def __init__(self, path: str | os.PathLike[str], expected: str, found: str) -> None:
        super().__init__(0, f"expected {expected}, found {found}", os.fspath(path))


def read_bytes(path: str | os.PathLike[str], limit: int = LIMIT) -> bytes:
    """The bytes of a regular file, links followed; raises OSError, which never waits for a pipe's other end.

    NotRegularError where it is not a regular file, or holds more than `limit` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotRegularError(path, "a regular file", _sort(status.st_mode))
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        data = stream.read() if status.st_size <= limit else None
    if data is None or len(data) > limit:
        raise NotRegularError(path, f"at most {limit} bytes", "more")
    return data


def read_text(path: str | os.PathLike[str], errors: str = "strict") -> str:
    """The text of a regular file in UTF-8; raises OSError, and UnicodeDecodeError under `errors="strict"`."""
    text = read_bytes(path).decode("utf-8", errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_regular(path: Path) -> bool:
    """True if a path names a regular file; False for a link that leads nowhere, or to itself."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _sort(mode: int) -> str:
    sorts = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in sorts if test(mode)), "a device")
