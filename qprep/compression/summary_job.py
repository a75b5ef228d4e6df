"""`qprep summary`, without its terminal: from the name of a model to its tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from qprep.compression.structure import StructureError
from qprep.compression.summary import Summary, What, summary
from qprep.foundation.errors import QprepError
from qprep.quantizer.job import JobError
from qprep.tracing import model_target
from qprep.tracing.failure import TraceFailure, from_exception
from qprep.tracing.request import Request


def summarize(request: Request, what: str | None = None) -> Summary:
    """Build the model and its inputs, and make the tables that `what` names, "sparsity,compute": see `summary`.

    Raises QprepError for names of no table, JobError where the model is at fault.
    """
    names = None if what is None else _names(what)
    torch.manual_seed(0)
    try:
        model, example = model_target.build(model_target.find(request.target), request)
        if example is None and not request.inputs and request.maker is None:
            return summary(model, what=names)
        given = model_target.inputs(request, example)
        return summary(model, given.args, given.kwargs, what=names)
    except QprepError as error:
        raise JobError(TraceFailure("run", str(error))) from error
    except (Exception, SystemExit) as error:
        raise JobError(from_exception("run", f"{request.target} could not be built", error)) from error


def save(found: Summary, path: Path) -> None:
    """Write it as its name ends: .json, .html or .txt; QprepError for others, and where it cannot be written."""
    makers: dict[str, Callable[[], str]] = {
        ".json": found.to_json,
        ".html": found.to_html,
        ".txt": lambda: f"{found}\n",
    }
    if path.suffix not in makers:
        raise QprepError(f"expected a file that ends in {', '.join(makers)}, found {path}")
    try:
        path.write_text(makers[path.suffix](), encoding="utf-8")
    except OSError as error:
        raise QprepError(f"{path} cannot be written: {error.strerror or error}") from error


def _names(text: str) -> list[str]:
    known = [each.value for each in What]
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise StructureError(f"--what: expected tables out of {', '.join(known)}, found {name!r}")
    return names
