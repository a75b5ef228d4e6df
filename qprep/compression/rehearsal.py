"""A schedule without its training: which share of the weights and of the multiply-accumulates it would leave."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from torch import nn

from qprep.compression.policies.quantization import QuantizationPolicy
from qprep.compression.registry import Section
from qprep.compression.schedule_file import Schedule
from qprep.compression.scheduler import Scheduler
from qprep.compression.structure import macs
from qprep.compression.windows import Epochs, Fractions, Steps, Window
from qprep.foundation.errors import QprepError

_REHEARSED: Final = (Section.PRUNERS, Section.EXTENSIONS)
_MINIBATCHES: Final = 2  # of an epoch


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The sizes that masks and thinning leave of the model as it is now.

    sparsity  the share of zeros among the weights that are left
    weights   the share of weights that are left after thinning
    macs      multiply-accumulates before and after, None without example inputs
    """

    sparsity: float
    weights: float
    macs: tuple[int, int] | None


def rehearsed(
    schedule: Schedule, model: nn.Module, example: tuple[tuple[Any, ...], Mapping[str, Any]], calibrate: object
) -> Rehearsal:
    """Run the pruners and the thinning of a file on `model`, which they change, without training.

    Raises QprepError if they cannot run so: policies by steps, and pruners that look at gradients or activations.
    """
    args, kwargs = example
    trial = Scheduler(model, example_inputs=args or kwargs, calibrate=calibrate)
    trial.use(_reduced(schedule, _REHEARSED))
    if any(isinstance(each.window, Steps) for each in trial.entries):
        raise QprepError("expected policies by epochs to rehearse, found one by steps")
    before, whole = _macs(trial), sum(each.numel() for each in model.parameters())
    for epoch in range(last_epoch(each.window for each in trial.entries)):
        trial.on_epoch_begin(epoch)
        for minibatch in range(_MINIBATCHES):
            trial.on_minibatch_begin(epoch, minibatch, _MINIBATCHES)
            trial.on_minibatch_end(epoch, minibatch, _MINIBATCHES)
        trial.on_epoch_end(epoch)
    after = _macs(trial)
    counts = None if before is None or after is None else (before, after)
    left = sum(each.numel() for each in model.parameters())
    return Rehearsal(trial.sparsity, left / max(whole, 1), counts)


def try_quantizers(
    schedule: Schedule, model: nn.Module, example: tuple[tuple[Any, ...], Mapping[str, Any]], calibrate: object
) -> None:
    """Put the quantizers of a file into `model`, which they change: they start late, and should not fail then.

    Raises ScheduleError, with file, line and key, where one cannot be put in.
    """
    args, kwargs = example
    trial = Scheduler(model, example_inputs=args or kwargs, calibrate=calibrate)
    trial.use(_reduced(schedule, (Section.QUANTIZERS,)))
    for each in trial.entries:
        if isinstance(each.policy, QuantizationPolicy):
            with each.blamed():
                each.policy.start(trial.training)


def has_quantizers(schedule: Schedule) -> bool:
    """True if a policy of the file runs one."""
    return any(each.definition.section is Section.QUANTIZERS for each in schedule.uses)


def last_epoch(windows: Iterable[Window]) -> int:
    """The first epoch after all of these; 0 where none has epochs."""
    return max((math.ceil(each.end) for each in windows if isinstance(each, (Epochs, Fractions))), default=0)


def _reduced(schedule: Schedule, sections: Collection[Section]) -> Schedule:
    """The same with policies of these sections alone."""
    uses = tuple(each for each in schedule.uses if each.definition.section in sections)
    definitions = {each.definition.key: each.definition for each in uses}
    return replace(schedule, uses=uses, definitions=tuple(definitions.values()))


def _macs(trial: Scheduler) -> int | None:
    args, kwargs = trial.training.example
    return macs(trial.model, args, kwargs) if trial.training.has_example else None
