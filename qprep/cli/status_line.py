"""Progress on standard error: one line that changes, for a person who has waited for two seconds."""

from __future__ import annotations

import sys
import time

_WAIT = 2.0  # seconds
_WIDE = 60


class StatusLine:
    """Shows how far a run has come, from its third second on, and takes that away in the end."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._shown = 0

    @classmethod
    def of(cls, *, quiet: bool) -> StatusLine | None:
        """None if nobody is watching."""
        return cls() if sys.stderr.isatty() and not quiet else None

    def __call__(self, done: int, total: int, path: str) -> None:
        """A file is begun with."""
        if time.monotonic() - self._start < _WAIT:
            return
        text = f"{done}/{total} files  {path if len(path) <= _WIDE else '…' + path[1 - _WIDE :]}"
        sys.stderr.write(f"\r{text:<{self._shown}}")
        sys.stderr.flush()
        self._shown = len(text)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(f"\r{'':<{self._shown}}\r")
            sys.stderr.flush()
            self._shown = 0
