"""Worker processes: each analyses one part after another; one that dies or hangs costs the file that it was at."""

from __future__ import annotations

import contextlib
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from qprep.engine.execution import Attempt
from qprep.engine.ipc import read_frame, write_frame
from qprep.engine.work import PartJob, Work
from qprep.foundation.errors import QprepError
from qprep.foundation.version import PACKAGE_FOLDER

if TYPE_CHECKING:
    from qprep.engine.config.settings import SettingsResolver

_START = "import sys; sys.path.append(sys.argv[1]); from qprep.engine.worker import main; main()"
_TICK = 0.2
_START_UP = 20  # how much longer a process may take until it has begun with a file


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    number: int
    divisions: set[int] = field(default_factory=set)
    job: PartJob | None = None
    attempt: Attempt = field(default_factory=Attempt)
    heard: float = 0.0


class WorkerError(QprepError):
    """A part that no worker could look at."""


class Pool:
    """Runs one verb ("check", "fix" or "summarize") over parts, in several processes."""

    def __init__(self, verb: str, work: Work, tell: Callable[[str], None]) -> None:
        self._first = (verb, recipe(work.settings), dict(work.overlay), work.effort.assembles, work.baseline)
        self._divisions, self._patience, self._tell = work.divisions, work.effort.patience, tell
        self._events: queue.Queue[tuple[int, Any]] = queue.Queue()
        self._workers: dict[int, _Worker] = {}
        self._started = 0

    def run(self, jobs: Sequence[PartJob], number: int) -> Iterator[tuple[PartJob, Any]]:
        """Each job with what came of it, as it is done; the largest are begun with first."""
        waiting = deque(sorted(jobs, key=lambda job: (-job.size, job.position)))
        left = len(waiting)
        try:
            for _ in range(min(number, left)):
                self._hand(self._start(), waiting)
            while left:
                done = self._next(waiting)
                if done is not None:
                    left -= 1
                    yield done
        finally:
            for worker in self._workers.values():
                _end(worker.process)

    def _next(self, waiting: deque[PartJob]) -> tuple[PartJob, Any] | None:
        """One event of one worker; None if no job ended by it."""
        self._watch()
        try:
            number, message = self._events.get(timeout=_TICK)
        except queue.Empty:
            return None
        worker = self._workers.get(number)
        if worker is None or worker.job is None:
            return None
        worker.heard = time.monotonic()
        if message is None:
            self._replace(worker, f"the process that analysed it {_ending(worker.process)}")
        elif message[0] == "at":
            worker.attempt.tell(message[1])
            self._tell(message[1])
        elif message[0] == "error":
            self._replace(worker, message[1])
        elif message[0] == "wrong":
            raise QprepError(message[1])
        else:
            job, worker.job = worker.job, None
            self._hand(worker, waiting)
            return job, message[1]
        return None

    def _watch(self) -> None:
        for worker in list(self._workers.values()):
            patience = self._patience * (1 if worker.attempt.place else _START_UP)
            if worker.job is not None and time.monotonic() - worker.heard > patience:
                self._replace(worker, f"no answer for {self._patience:g} seconds")

    def _start(self) -> _Worker:
        home = str(PACKAGE_FOLDER.parent)
        command = [sys.executable, "-P", "-c", _START, home]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  (our own)
        worker = self._workers[self._started] = _Worker(process, self._started, heard=time.monotonic())
        self._started += 1
        threading.Thread(target=self._listen, args=(worker.number, process.stdout), daemon=True).start()
        self._send(worker, self._first)
        return worker

    def _listen(self, number: int, stream: IO[bytes] | None) -> None:
        """Runs in a thread of its own: a worker's messages, and None at its end."""
        try:
            while stream is not None and (message := read_frame(stream)) is not None:
                self._events.put((number, message))
        except (OSError, EOFError, pickle.UnpicklingError, ValueError):
            pass
        self._events.put((number, None))

    def _hand(self, worker: _Worker, waiting: deque[PartJob]) -> None:
        """Give a worker the next job, or let it go."""
        if not waiting:
            del self._workers[worker.number]
            _end(worker.process)
            return
        self._send_job(worker, waiting.popleft(), Attempt())

    def _send_job(self, worker: _Worker, job: PartJob, attempt: Attempt) -> None:
        worker.job, worker.attempt = job, attempt
        worker.heard = time.monotonic()
        if job.division not in worker.divisions:
            worker.divisions.add(job.division)
            division = self._divisions[job.division]
            known = division.names.known if division.names is not None else None
            self._send(worker, ("division", job.division, division.paths, known))
        self._send(worker, ("job", job.division, job.part, worker.attempt.broken))

    def _send(self, worker: _Worker, message: object) -> None:
        stream = worker.process.stdin
        with contextlib.suppress(OSError):  # where it died, its end is the next event
            if stream is not None:
                write_frame(stream, message)

    def _replace(self, worker: _Worker, reason: str) -> None:
        """Go on without the file that a worker failed on, in a new process."""
        _end(worker.process)
        del self._workers[worker.number]
        job, attempt = worker.job, worker.attempt
        if job is None or not attempt.blame(reason):
            raise WorkerError(f"{attempt.place or 'a worker process'}: qprep failed: {reason}")
        attempt.place = ""
        self._send_job(self._start(), job, attempt)


def recipe(settings: SettingsResolver) -> tuple[Any, ...]:
    """The data from which another process resolves the same settings."""
    from dataclasses import fields

    options = settings.overrides
    values = {entry.name: getattr(options, entry.name) for entry in fields(options) if entry.name != "trace"}
    return values, settings.config, settings.isolated, settings.force_exclude, settings.ignore_suppressions


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
