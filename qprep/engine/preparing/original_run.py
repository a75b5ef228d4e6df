"""Builds and runs the original of a model in a process of its own: what it is made of, and what it computes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.engine.preparing.original_files import JOB, MODULES, RECORD, InputSource, load_inputs, save_inputs
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from qprep.tracing.build_record import BuildRecord
    from qprep.tracing.model_target import Inputs
    from qprep.tracing.request import Request


class OriginalError(QprepError):
    """The original model, or its inputs, cannot be made or run."""


@dataclass(frozen=True, slots=True)
class Original:
    """The results of the run of the original.

    modules       files by module, of the classes that the model is made of and of the code that runs operations
    record        the model's state and results, to compare a rewrite with
    fresh_inputs  gives copies of the arguments that it was run on
    """

    modules: dict[str, Path]
    record: BuildRecord
    fresh_inputs: Callable[[], Inputs]


def run_original(request: Request, *, calibrate: str | None = None, given: Inputs | None = None) -> Original:
    """Run the model of `request` in a fresh process, in evaluation and in training mode.

    Its inputs are `given`, else those of the request, else the first batch of the loader
    that `calibrate` names. Raises OriginalError with the reason where the model does not run.
    """
    import torch

    from qprep.tracing.child_runner import run_child, workspace

    with workspace() as folder:
        if given is not None:
            save_inputs(folder, given)
        (folder / JOB).write_text(InputSource(calibrate, given is not None).to_json())
        failure = run_child("qprep.engine.preparing.original_child", request, folder)
        if failure is not None:
            raise OriginalError(str(failure))
        modules = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        return Original(
            {name: Path(path) for name, path in modules.items()},
            torch.load(folder / RECORD, weights_only=False),
            partial(copy.deepcopy, load_inputs(folder)),
        )
