"""The child process of a preparation: builds the original model, runs it, and records what it is made of and does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.engine.preparing.model_modules import class_modules, running_modules
from qprep.engine.preparing.original_files import (
    BUILD_SEED,
    INPUTS_SEED,
    JOB,
    MODULES,
    RECORD,
    InputSource,
    load_inputs,
    save_inputs,
)

if TYPE_CHECKING:
    from torch import nn

    from qprep.tracing.model_target import Inputs
    from qprep.tracing.request import Request


def main(folder: Path) -> None:
    """Do the job in `folder`."""
    from qprep.tracing.child import answer

    job = InputSource(**json.loads((folder / JOB).read_text()))
    answer(folder, lambda request: _record(request, job, folder))


def _record(request: Request, job: InputSource, folder: Path) -> None:
    import torch

    from qprep.tracing import build_record, model_target
    from qprep.tracing.child import REPORT, stage
    from qprep.tracing.traced_run import trace

    build_record.seed(BUILD_SEED)
    found = stage("import", request, lambda: model_target.find(request.target))
    build_record.seed(BUILD_SEED)
    model, example = stage("build", request, lambda: model_target.build(found, request))
    made = build_record.constructed(model)
    if not job.given:
        build_record.seed(INPUTS_SEED)
        arguments = stage("inputs", request, lambda: _inputs(request, job, model, example))
        save_inputs(folder, arguments)
    model.eval()
    arguments = load_inputs(folder)
    report = stage("run", request, lambda: trace(model, *arguments.args, **arguments.kwargs))
    modules = {**class_modules(model), **running_modules(report)}
    stage("run", request, lambda: build_record.run(model, lambda: load_inputs(folder), made))
    torch.save(made, folder / RECORD)
    (folder / MODULES).write_text(json.dumps({name: str(path) for name, path in modules.items()}), encoding="utf-8")
    (folder / REPORT).write_text("{}")


def _inputs(request: Request, job: InputSource, model: nn.Module, example: object) -> Inputs:
    from qprep.tracing import model_target

    if job.calibrate is None or request.maker is not None or request.inputs or example is not None:
        return model_target.inputs(request, example)
    from qprep.quantizer.loaders import Batches, example_of

    batches = Batches(model_target.find(job.calibrate), job.calibrate, limit=1, device=request.device)
    args, kwargs = example_of(model, batches)
    return model_target.Inputs(args, kwargs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
