"""The reason why a model could not run: one sentence, and the place in the user's code."""

from __future__ import annotations

import json
import linecache
import os
import re
import sysconfig
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Final

_LAST: Final = 5
_DUMPED: Final = re.compile(r'^  File "(?P<path>[^"]*)", line (?P<line>\d+) in (?P<function>.*)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FailureFrame:
    """One call on the way to the failure."""

    path: str
    line: int
    function: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} in {self.function}" + (f": {self.text}" if self.text else "")


@dataclass(frozen=True, slots=True)
class TraceFailure:
    """A model that did not run.

    stage    "import", "build", "inputs", "run", "timeout" or "crash"
    message  one sentence
    frames   the last calls in the user's own code, outermost first
    output   the end of what the process wrote
    """

    stage: str
    message: str
    frames: tuple[FailureFrame, ...] = ()
    output: str = ""

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {frame}" for frame in self.frames)])

    def to_json(self) -> str:
        """For the parent process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TraceFailure:
        """Read the result of `to_json`."""
        data: dict[str, Any] = json.loads(text)
        return cls(**{**data, "frames": tuple(FailureFrame(**frame) for frame in data["frames"])})


def from_exception(stage: str, sentence: str, error: BaseException) -> TraceFailure:
    """A failure of the user's code that raised."""
    calls = traceback.extract_tb(error.__traceback__)
    frames = [FailureFrame(call.filename, call.lineno or 0, call.name, call.line or "") for call in calls]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append(FailureFrame(error.filename, error.lineno or 0, "<module>", (error.text or "").strip()))
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return TraceFailure(stage, f"{sentence}: {reason}{notes}", _of_user(frames))


def from_dump(stage: str, sentence: str, dump: str) -> TraceFailure:
    """A failure that faulthandler saw: a crash or a hang; `dump` lists the calls innermost first."""
    thread = dump.partition("(most recent call first):")[2].partition("\n\n")[0]
    frames = [
        FailureFrame(
            match["path"],
            int(match["line"]),
            match["function"],
            linecache.getline(match["path"], int(match["line"])).strip(),
        )
        for match in _DUMPED.finditer(thread)
    ]
    return TraceFailure(stage, sentence, _of_user(frames[::-1]))


def _of_user(frames: Iterable[FailureFrame]) -> tuple[FailureFrame, ...]:
    """The last calls outside of Python itself, torch and qprep."""
    return tuple([frame for frame in frames if _is_user(frame.path)][-_LAST:])


def _is_user(path: str) -> bool:
    if not os.path.isabs(path) or path.startswith(os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep):
        return False
    torch = find_spec("torch")
    if torch is not None and path.startswith(
        tuple(os.path.join(root, "") for root in torch.submodule_search_locations or ())
    ):
        return False
    python = sysconfig.get_path("stdlib") + os.sep
    return not path.startswith(python) or path.startswith(os.path.join(python, "site-packages", ""))
