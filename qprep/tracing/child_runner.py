"""Runs a target in a child process, within a time limit, and reads its answer."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeVar

from qprep.foundation.errors import QprepError
from qprep.foundation.regular_files import read_bytes, read_text
from qprep.tracing import child
from qprep.tracing.failure import TraceFailure, from_dump
from qprep.tracing.request import Request
from qprep.tracing.trace_report import TraceReport

_T = TypeVar("_T")
_GRACE: Final = 10.0  # seconds that the child has to end itself after its time limit
_TAIL: Final = 2000  # characters of the child's output that are kept


def run_target(request: Request) -> TraceReport | TraceFailure:
    """Trace one forward pass of the model that `request` describes.

    A crash, an error or a hang of the user's code is a TraceFailure; QprepError if torch is missing.
    """
    with workspace() as folder:
        failure = run_child("qprep.tracing.child", request, folder)
        if failure is not None:
            return failure
        return read_answer(request, lambda: TraceReport.from_json(read_text(folder / child.REPORT)))


def read_answer(request: Request, read: Callable[[], _T]) -> _T | TraceFailure:
    """The result of `read` on a child's files; a TraceFailure if the user's code has changed them."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001  (the files may hold anything)
        return TraceFailure("crash", f"{request.target} left no answer that can be read: {type(error).__name__}")


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder of our own for one or more children."""
    with tempfile.TemporaryDirectory(prefix="qprep-") as folder:
        yield Path(folder)


def run_child(module: str, request: Request, folder: Path) -> TraceFailure | None:
    """Run `python -m module folder`; None once it has written its answer."""
    if find_spec("torch") is None:
        raise QprepError("a trace runs the model and needs torch: pip install 'qprep[torch]'")
    for name in (child.FAILURE, child.REPORT, child.FAULT, child.SEAL):
        (folder / name).unlink(missing_ok=True)
    (folder / child.REQUEST).write_text(request.to_json())
    key = secrets.token_hex()
    command = [sys.executable, "-P", "-u", "-m", module, str(folder)]
    with (folder / child.OUTPUT).open("wb") as output:
        returncode = _wait(command, key, output.fileno(), request.timeout)
    failure = _failure(request, folder, returncode, is_sealed=_read(folder / child.SEAL) == key)
    return failure and replace(failure, output=_read(folder / child.OUTPUT)[-_TAIL:])


def _wait(command: list[str], key: str, output: int, timeout: float) -> int | None:
    """The exit status; None if the process did not end by itself. Nothing that it started is left."""
    with subprocess.Popen(  # noqa: S603  (our own module, run by our own interpreter)
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=_environment(),
        start_new_session=True,
    ) as process:
        try:
            _send(process, key)
            return process.wait(timeout + _GRACE)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _send(process: subprocess.Popen[bytes], key: str) -> None:
    """Give a child its key; it finds nothing more on its standard input."""
    stream = process.stdin
    if stream is not None:
        with contextlib.suppress(OSError), stream:  # a child that died is seen by its exit status
            stream.write(key.encode())


def _read(path: Path) -> str:
    """The text of a child's file, whatever is there; "" for none."""
    try:
        return read_bytes(path).decode(errors="replace")
    except OSError:
        return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _environment() -> dict[str, str]:
    """The parent's, with qprep importable; last, so that it hides nothing of the user's."""
    root = str(Path(child.__file__).parents[2])
    paths = [path for path in (os.environ.get("PYTHONPATH"), root) if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _failure(request: Request, folder: Path, returncode: int | None, *, is_sealed: bool) -> TraceFailure | None:
    reported = folder / child.FAILURE
    if is_sealed and reported.exists():
        return read_answer(request, lambda: TraceFailure.from_json(read_text(reported)))
    dump = _read(folder / child.FAULT)
    if returncode is None or dump.startswith("Timeout"):
        return from_dump("timeout", f"{request.target} ran longer than {request.timeout:g} s", dump)
    if returncode == 0 and is_sealed:
        return None
    ended = f"signal {signal.Signals(-returncode).name}" if returncode < 0 else f"exit status {returncode}"
    return from_dump("crash", f"{request.target} ended the process: {ended}", dump)
