"""Options of a run: the number of processes, the cache, and who receives progress."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from qprep.foundation.errors import QprepError
from qprep.foundation.internal_rules import ANALYSIS_FAILED, engine_finding

if TYPE_CHECKING:
    from qprep.engine.incremental.cache import Cache
    from qprep.engine.incremental.held import HeldState
    from qprep.foundation.findings import Finding

_T = TypeVar("_T")

MOST_FAILURES = 8  # files of one part that qprep may fail on before it gives the part up
PATIENCE = 300.0  # seconds without a sign of life after which a worker process is taken for hung
_AUTO_BYTES = 3_000_000  # source below which starting processes costs more than it gains
_AUTO_GAIN = 1.25  # how many times faster a run must become for it


class ObsoleteError(QprepError):
    """A look was given up because its result is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The resources of a run.

    jobs      worker processes; None: as many as pay, by the size of the parts and the cores
    cache     what earlier runs found; None: nothing is looked up or kept
    tell      called with the number of files done and of all, and the file begun with
    patience  seconds without a sign of life after which a worker is assumed to be hung
    edits     whether whoever asked wants the edits of each fix, or only to know that there are some
    unknown   whether they want the places of unknown kind, or only their number
    held      what this process keeps from look to look, whatever the contents of files
    obsolete  asked before each file: whether nobody wants the result any more, which raises ObsoleteError
    """

    jobs: int | None = 1
    cache: Cache | None = None
    tell: Callable[[int, int, str], None] | None = None
    patience: float = PATIENCE
    edits: bool = True
    unknown: bool = True
    held: HeldState | None = None
    obsolete: Callable[[], bool] | None = None

    def check_wanted(self) -> None:
        """Raise ObsoleteError where nobody wants the result any more."""
        if self.obsolete is not None and self.obsolete():
            raise ObsoleteError("nobody waits for the result any more")

    @property
    def assembles(self) -> bool:
        """True if edits are worked out: for the caller, or for later runs, which may need them."""
        return self.edits or self.cache is not None

    def workers(self, sizes: list[int]) -> int:
        """The number of processes to start for parts of these sizes in bytes; 1: this one alone."""
        if self.jobs is not None:
            return max(1, min(self.jobs, len(sizes)))
        total = sum(sizes)
        number = min(cores(), len(sizes))
        if total < _AUTO_BYTES or number < 2:
            return 1
        longest = max(*sizes, total // number)
        return number if total / longest >= _AUTO_GAIN else 1


def cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def failed(path: str, reason: str) -> Finding:
    """The finding for a file that qprep fails on."""
    return engine_finding(ANALYSIS_FAILED, path, f"qprep failed on this file: {reason}", help="please report it")


class Attempt:
    """Work on one part, tried again without each file that it fails on."""

    def __init__(self) -> None:
        self.broken: dict[str, Finding] = {}
        self.place = ""

    def tell(self, path: str) -> None:
        """The work begins with a file."""
        self.place = path

    def blame(self, reason: str) -> bool:
        """Leave out the file that was begun with last; False where that is of no use."""
        if not self.place or self.place in self.broken or len(self.broken) >= MOST_FAILURES:
            return False
        self.broken[self.place] = failed(self.place, reason)
        return True


def attempt(work: Callable[[Attempt], _T]) -> _T:
    """The result of `work`, without the files that it fails on; raises errors that no file causes."""
    state = Attempt()
    while True:
        try:
            return work(state)
        except QprepError:
            raise
        except Exception as error:
            if os.environ.get("QPREP_TRACEBACK") or not state.blame(describe(error)):
                raise


def describe(error: BaseException) -> str:
    """An error on one line, with the place in qprep that it came from."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text} ({os.path.basename(frame.filename)}:{frame.lineno})"


class Clock:
    """Tells of progress, not more often than a person reads it."""

    def __init__(self, tell: Callable[[int, int, str], Any] | None, total: int) -> None:
        self._tell, self._total = tell, total
        self._done = 0
        self._last = time.monotonic()

    def begin(self, path: str) -> None:
        """A file is begun with."""
        now = time.monotonic()
        if self._tell is not None and now - self._last > 0.1:
            self._last = now
            self._tell(self._done, self._total, path)

    def finish(self, files: int) -> None:
        """Files are done with."""
        self._done += files
