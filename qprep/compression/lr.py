"""Learning rate schedules of Distiller that torch does not have under these names, and all of torch's."""

from __future__ import annotations

import inspect
import math
import warnings
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import Any, Final

import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from qprep.compression.errors import CompressionError
from qprep.compression.lr_functions import FactorError, LambdaLR, MultiplicativeLR

_EPOCHS: Final = 100  # of a rehearsal
_ROUNDING: Final = 1e-9  # cosines that end at 0 may end below


class PolynomialLR(LRScheduler):
    """lr · (1 - epoch / T_max)^power; 0 from T_max on. `total_iters` is torch's name for T_max."""

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int | None = None,  # noqa: N803
        power: float = 1.0,
        last_epoch: int = -1,
        *,
        total_iters: int | None = None,
    ) -> None:
        if (T_max is None) == (total_iters is None):
            raise CompressionError("expected either T_max or total_iters, found both or none")
        end = T_max if total_iters is None else total_iters
        if end is None or end < 1:
            raise CompressionError(f"expected T_max from 1 on, found {end!r}")
        self.T_max, self.power = end, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """Of `last_epoch`."""
        factor = (1 - min(self.last_epoch, self.T_max) / self.T_max) ** self.power
        return [float(base) * factor for base in self.base_lrs]


class MultiStepMultiGammaLR(LRScheduler):
    """The rate is multiplied by the gamma of each milestone, an epoch, from that on."""

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gammas: Sequence[float], last_epoch: int = -1
    ) -> None:
        if len(milestones) != len(gammas) or list(milestones) != sorted(milestones):
            raise CompressionError(
                f"expected increasing milestones and as many gammas, found {list(milestones)!r} and {list(gammas)!r}"
            )
        self.milestones, self.gammas = list(milestones), list(gammas)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """Of `last_epoch`."""
        factor = prod(self.gammas[: bisect_right(self.milestones, self.last_epoch)])
        return [float(base) * factor for base in self.base_lrs]


def rehearse(make: type[LRScheduler], arguments: Mapping[str, Any], optimizer: Optimizer) -> None:
    """Make a schedule on another optimizer with as many groups and step it: raises what it would raise in the training.

    Torch takes `step_size: 0` and the like, and fails at the first step. Raises CompressionError for a rate that is not
    finite or below 0 in the first epochs.
    """
    groups = [
        {"params": [Parameter(torch.zeros(1))], **{name: each[name] for name in ("lr", "initial_lr") if name in each}}
        for each in optimizer.param_groups
    ]
    trial = make(**{**arguments, "optimizer": SGD(groups, lr=1.0, momentum=0.9)})
    try:
        _steps(trial, range(1))
    except ArithmeticError as error:
        raise CompressionError(f"expected values that {make.__name__} can step with, found {error}") from error
    if isinstance(trial, ReduceLROnPlateau):
        return
    # Schedules may have a last step, rates leave the range, functions of the user end with the training.
    with suppress(ValueError, ArithmeticError, FactorError):
        _steps(trial, range(1, _EPOCHS))


def _steps(trial: LRScheduler, epochs: range) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of steps without an optimizer's step
        if isinstance(trial, ReduceLROnPlateau):
            trial.step(1.0)
            return
        for epoch in epochs:
            if takes_epoch(trial):
                trial.step(epoch + 1)
            else:
                trial.step()
            rates = [float(group["lr"]) for group in trial.optimizer.param_groups]
            if not all(-_ROUNDING <= each < math.inf for each in rates):
                raise CompressionError(
                    f"expected finite learning rates from 0 on of {type(trial).__name__}, found {rates} in epoch "
                    f"{epoch + 1}"
                )


def takes_epoch(scheduler: LRScheduler) -> bool:
    """True if `step` takes the number of the epoch; what combines several schedules does not."""
    return "epoch" in inspect.signature(type(scheduler).step).parameters


def lr_classes() -> dict[str, type]:
    """By name, the classes above, before those of torch.optim.lr_scheduler that plain values can make."""
    found = {
        name: each
        for name, each in vars(lr_scheduler).items()
        if inspect.isclass(each)
        and issubclass(each, LRScheduler)
        and not name.startswith("_")
        and name not in ("LRScheduler", "SequentialLR", "ChainedScheduler")
    }
    own = (PolynomialLR, MultiStepMultiGammaLR, LambdaLR, MultiplicativeLR)
    return {**found, **{each.__name__: each for each in own}}
