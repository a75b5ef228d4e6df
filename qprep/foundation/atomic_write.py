"""Files of qprep's own (reports, baselines, the cache): written in one step, so that none is ever half there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from qprep.foundation.errors import QprepError


def save(path: Path, data: bytes, what: str) -> None:
    """Write or replace a file and its folders; raises QprepError, naming `what` it is, where that is not possible.

    What is there but no regular file (a terminal, a pipe) is written to as it is.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        replace(target, data)
    except OSError as error:
        raise QprepError(f"{what}: `{path}` cannot be written: {error.strerror}") from error


def replace(target: Path, data: bytes) -> None:
    """Put a file of these bytes in the place of `target`; raises OSError and leaves nothing behind."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".qprep", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~umask())
        temporary.replace(target)
    except BaseException:  # Ctrl-C too must leave nothing behind
        temporary.unlink(missing_ok=True)
        raise


def umask() -> int:
    """Return the permissions that new files of this process do not get."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
