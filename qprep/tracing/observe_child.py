"""The child process that traces a model and notes which expressions of given files it evaluates."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from qprep.foundation.regular_files import read_text
from qprep.tracing import overlay
from qprep.tracing.child import REPORT, answer, stage
from qprep.tracing.executed import Executed
from qprep.tracing.request import Request
from qprep.tracing.trace_values import TracePlace

JOB: Final = "job.json"
PLACES: Final = "places.json"


@dataclass(frozen=True, slots=True)
class ObserveJob:
    """The files to watch: real paths, and those to import with other contents (→ name of a file in the folder)."""

    files: Sequence[str]
    sources: Mapping[str, str]

    def to_json(self) -> str:
        """For the child process."""
        return json.dumps(asdict(self))


def main(folder: Path) -> None:
    """Do the job in `folder`."""
    job = ObserveJob(**json.loads((folder / JOB).read_text()))
    answer(folder, lambda request: _observe(request, job, folder))


def _observe(request: Request, job: ObserveJob, folder: Path) -> None:
    import torch

    from qprep.tracing import model_target
    from qprep.tracing.traced_run import trace

    overlay.install({path: (folder / name).read_bytes() for path, name in job.sources.items()})
    files = frozenset(job.files)
    building, running = Executed(files), Executed(files)
    torch.manual_seed(0)
    found = stage("import", request, lambda: model_target.find(request.target))
    with building.watch():
        model, example = stage("build", request, lambda: model_target.build(found, request))
    inputs = stage("inputs", request, lambda: model_target.inputs(request, example))
    with model_target.on(request.device), running.watch():
        report = stage("run", request, lambda: trace(model, *inputs.args, **inputs.kwargs))
    (folder / PLACES).write_text(json.dumps([_listed(running), _listed(building)]))
    (folder / REPORT).write_text(report.to_json())


def _listed(executed: Executed) -> list[tuple[object, ...]]:
    return [
        (place.path, place.line, place.column, place.end_line, place.end_column, place.lineno)
        for place in sorted(executed.places())
    ]


def read_places(folder: Path) -> tuple[frozenset[TracePlace], frozenset[TracePlace]]:
    """The expressions evaluated in the forward pass, and while the model was built."""
    ran, built = json.loads(read_text(folder / PLACES))
    return frozenset(TracePlace(*place) for place in ran), frozenset(TracePlace(*place) for place in built)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
