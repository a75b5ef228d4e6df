"""The child process: `python -m qprep.tracing.child FOLDER` runs the request in FOLDER and leaves its answer there.

The user's code runs in this process alone: whatever it prints, raises or breaks, the parent reads one file. An answer
counts if its seal is next to it: the key that the parent sent on standard input, which is read before any code of the
user's runs and written once the work is done. So a model that writes files of its own, and ends, leaves no answer.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from qprep.foundation.errors import QprepError
from qprep.tracing.failure import TraceFailure, from_exception
from qprep.tracing.request import Request

REQUEST: Final = "request.json"
REPORT: Final = "report.json"
FAILURE: Final = "failure.json"
FAULT: Final = "fault.txt"  # what faulthandler says of a crash or a hang
OUTPUT: Final = "output.txt"  # what the user's code prints
SEAL: Final = "seal.txt"  # the parent's key, once the answer is whole

_T = TypeVar("_T")
_SENTENCES: Final = {
    "import": "{} could not be imported",
    "build": "{} could not be built",
    "inputs": "the inputs of {} could not be made",
    "run": "{} failed in its forward pass",
}


class StageError(Exception):
    """Carries the failure of a stage to the end of the process."""

    def __init__(self, failure: TraceFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def stage(name: str, request: Request, run: Callable[[], _T]) -> _T:
    """The result of `run`; StageError if the user's code raises, or ends the process, in it."""
    try:
        return run()
    except StageError:
        raise
    except QprepError as error:
        raise StageError(TraceFailure(name, str(error))) from error
    except BaseException as error:  # SystemExit too: an import of the user's must not end the trace
        raise StageError(from_exception(name, _SENTENCES[name].format(request.target), error)) from error


def main(folder: Path) -> None:
    """Trace what the request in `folder` describes."""
    answer(folder, lambda request: (folder / REPORT).write_text(_trace(request)))


def answer(folder: Path, work: Callable[[Request], object]) -> None:
    """Do `work` for the request in `folder`; a failure of the user's code, a crash or a hang is written there."""
    key = sys.stdin.read()
    request = Request.from_json((folder / REQUEST).read_text())
    sys.argv = [request.target]  # the folder is none of the user's business
    with (folder / FAULT).open("w") as fault:
        faulthandler.enable(fault, all_threads=False)
        faulthandler.dump_traceback_later(request.timeout, exit=True, file=fault)
        try:
            work(request)
        except StageError as error:
            (folder / FAILURE).write_text(error.failure.to_json())
        (folder / SEAL).write_text(key)
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()


def _trace(request: Request) -> str:
    import torch

    from qprep.tracing import model_target
    from qprep.tracing.traced_run import trace

    torch.manual_seed(0)
    found = stage("import", request, lambda: model_target.find(request.target))
    model, example = stage("build", request, lambda: model_target.build(found, request))
    inputs = stage("inputs", request, lambda: model_target.inputs(request, example))
    with model_target.on(request.device):
        return stage("run", request, lambda: trace(model, *inputs.args, **inputs.kwargs)).to_json()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
