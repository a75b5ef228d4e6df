"""Compares a prepared model with the record of its original, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qprep.engine.preparing.original_files import BUILD_SEED
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from torch import nn

    from qprep.tracing.build_record import BuildRecord
    from qprep.tracing.model_target import Inputs


class DifferenceError(QprepError):
    """A rewritten model that is not what its original is."""


def compared(
    target: str, build: Callable[[], nn.Module], original: BuildRecord, inputs: Callable[[], Inputs]
) -> tuple[int, tuple[str, ...]]:
    """The number of equal tensors, and notes on tensors compared less strictly; DifferenceError for a difference.

    `build` makes the rewritten model. Compared are the state's keys, order and initial values, tied parameters, a
    strict load of the original's state, the random state after construction, outputs, gradients and effects in
    evaluation and in training mode: bit for bit, except for compound modules of torch.nn, whose twins sum in another
    order (`qprep.tracing.verdict.COMPOUND`).
    """
    from qprep.tracing import build_record
    from qprep.tracing.compare import first_difference
    from qprep.tracing.verdict import COMPOUND, EXACT

    build_record.seed(BUILD_SEED)
    model = build()
    made = build_record.constructed(model)
    build_record.load(model, original, made)
    build_record.run(model, inputs, made)
    tolerance = COMPOUND if original.compound else EXACT
    equal, difference = first_difference(original, made, tolerance)
    if difference is not None:
        raise DifferenceError(f"nothing was prepared: the rewritten {target} differs from the original: {difference}")
    return equal, tuple(_notes(original))


def _notes(original: BuildRecord) -> list[str]:
    notes: list[str] = []
    if original.compound:
        notes.append("compound modules of torch.nn: compared within a tolerance")
    if original.train_error is not None:
        notes.append(f"the original does not train ({original.train_error}): training mode not compared")
    return notes


def outputs_differ(original: nn.Module, prepared: nn.Module, inputs: Callable[[], Inputs]) -> str | None:
    """The difference of the outputs of two models in evaluation mode; None if they are equal, bit for bit or within the
    tolerance that compound modules have. Both are in evaluation mode afterwards."""
    import torch

    from qprep.tracing import build_record
    from qprep.tracing.compare import values_difference
    from qprep.tracing.module_runs import is_compound
    from qprep.tracing.verdict import COMPOUND, EXACT

    def output(model: nn.Module) -> build_record.Values:
        arguments = inputs()
        build_record.seed(BUILD_SEED)
        with torch.no_grad():
            return build_record.values(output=model.eval()(*arguments.args, **arguments.kwargs))

    tolerance = COMPOUND if any(is_compound(module) for module in original.modules()) else EXACT
    difference = values_difference("eval", output(original), output(prepared), tolerance)
    return str(difference) if difference is not None else None
