"""The folder through which a preparation and its child process speak."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qprep.tracing.model_target import Inputs

JOB: Final = "job.json"
INPUTS: Final = "inputs.pt"
RECORD: Final = "record.pt"
MODULES: Final = "modules.json"
BUILD_SEED, INPUTS_SEED = 0, 1


@dataclass(frozen=True, slots=True)
class InputSource:
    """The source of the inputs: the folder if they are `given`, else the request, else the loader `calibrate`."""

    calibrate: str | None
    given: bool

    def to_json(self) -> str:
        """For the child process."""
        return json.dumps(asdict(self))


def save_inputs(folder: Path, inputs: Inputs) -> None:
    """Keep the arguments of a model's call."""
    import torch

    torch.save((tuple(inputs.args), dict(inputs.kwargs)), folder / INPUTS)


def load_inputs(folder: Path) -> Inputs:
    """The arguments that are kept in a folder; new tensors each time."""
    import torch

    from qprep.tracing.model_target import Inputs

    args, kwargs = torch.load(folder / INPUTS, weights_only=False)
    return Inputs(args, kwargs)
