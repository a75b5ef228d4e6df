"""Learning rates by functions of the epoch, which a schedule file names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from qprep.compression.errors import CompressionError
from qprep.tracing.model_target import find

Factor = Callable[[int], float]
Functions = str | list[str]


class FactorError(CompressionError):
    """A function has no factor for an epoch."""


class LambdaLR(lr_scheduler.LambdaLR):
    """The first rate times a function of the epoch, "package.module:function"; of a list, one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Functions, last_epoch: int = -1) -> None:
        super().__init__(optimizer, functions_at(lr_lambda, len(optimizer.param_groups)), last_epoch)


class MultiplicativeLR(lr_scheduler.MultiplicativeLR):
    """The rate of the epoch before times a function of the epoch, "package.module:function"; or a list, as above."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Functions, last_epoch: int = -1) -> None:
        super().__init__(optimizer, functions_at(lr_lambda, len(optimizer.param_groups)), last_epoch)


def functions_at(given: Functions | Factor | Iterable[Factor], groups: int) -> Any:  # noqa: ANN401  (as torch has it)
    """Functions in place of their names; functions themselves pass.

    Raises CompressionError where there is no function, and for a list that has not one for each group.
    """
    if isinstance(given, str):
        return _function(given)
    if not isinstance(given, Iterable):
        return given
    found = [_function(each) if isinstance(each, str) else each for each in given]
    if len(found) != groups:
        raise CompressionError(
            f"expected lr_lambda with a function for each of the optimizer's groups, {groups}, found {len(found)}"
        )
    return found


def _function(name: str) -> Factor:
    try:
        found = find(name)
    except Exception as error:  # what an import of the user's raises
        raise CompressionError(f"expected a function of an epoch as lr_lambda, found {name}: {error}") from error
    if not callable(found):
        raise CompressionError(f"expected a function of an epoch as lr_lambda, found {name}, {type(found).__name__}")

    def factor(epoch: int) -> float:
        try:
            value = found(epoch)
        except Exception as error:  # what a function of the user's raises
            raise FactorError(
                f"expected a factor of lr_lambda {name} for epoch {epoch}, found {type(error).__name__}: {error}"
            ) from error
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise FactorError(f"expected a finite factor of lr_lambda {name} for epoch {epoch}, found {value!r}")
        return float(value)

    return factor
