"""The child process of a verification: builds the model from overlaid sources and records what it is and does."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from qprep.tracing import overlay
from qprep.tracing.child import REPORT, answer, stage
from qprep.tracing.request import Request

JOB: Final = "job.json"
_BUILD, _INPUTS = 0, 1  # seeds


@dataclass(frozen=True, slots=True)
class RecordJob:
    """The job of the child process.

    sources  files to import with other contents: real path → name of a file in the folder
    save     where the record goes
    load     a record whose state_dict is loaded strictly, before anything runs
    run      whether to run the model, or only to build it
    """

    sources: Mapping[str, str]
    save: str
    load: str | None
    run: bool

    def to_json(self) -> str:
        """For the child process."""
        return json.dumps(asdict(self))


def main(folder: Path) -> None:
    """Do the job in `folder`."""
    job = RecordJob(**json.loads((folder / JOB).read_text()))
    answer(folder, lambda request: _record(request, job, folder))


def _record(request: Request, job: RecordJob, folder: Path) -> None:
    import torch

    from qprep.tracing import build_record, model_target

    torch.set_num_threads(1)
    if request.device != "cpu":  # one thread of a CPU is deterministic; the setting imports much of torch
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
    overlay.install({path: (folder / name).read_bytes() for path, name in job.sources.items()})
    build_record.seed(_BUILD)
    found = stage("import", request, lambda: model_target.find(request.target))
    build_record.seed(_BUILD)
    model, example = stage("build", request, lambda: model_target.build(found, request))
    made = build_record.constructed(model)
    if job.load is not None:
        build_record.load(model, torch.load(folder / job.load, weights_only=False), made)
    if job.run:

        def inputs() -> model_target.Inputs:
            build_record.seed(_INPUTS)
            return stage("inputs", request, lambda: model_target.inputs(request, example))

        stage("run", request, lambda: build_record.run(model, inputs, made))
    torch.save(made, folder / job.save)
    (folder / REPORT).write_text("{}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
