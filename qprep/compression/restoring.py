"""The way back from a schedule that fails while its policies are made: they have changed the optimizer by then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from qprep.compression.optimizers import members_of
from qprep.compression.training import Training

_PARAMETERS: Final = "params"


class RestorePoint:
    """The settings of the optimizers, and what policies have added to the training, as they are now.

    Torch's learning rate schedules set rates when they are made, and replace the optimizer's `step`.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        self._optimizers = members_of(training.optimizer)
        self._settings = [[_settings(group) for group in each.param_groups] for each in self._optimizers]
        self._steps = [vars(each).get("step") for each in self._optimizers]
        self._lists: tuple[list[Any], ...] = (training.notes, training.on_change, training.unmasked_zeros)
        self._lengths = [len(each) for each in self._lists]

    def restore(self) -> None:
        """Go back to it."""
        for optimizer, groups, step in zip(self._optimizers, self._settings, self._steps, strict=True):
            for group, settings in zip(optimizer.param_groups, groups, strict=True):
                for name in group.keys() - settings.keys() - {_PARAMETERS}:
                    del group[name]
                for name, value in settings.items():
                    _put(group, name, value)
            if step is None:
                vars(optimizer).pop("step", None)
            else:
                vars(optimizer)["step"] = step
        for found, length in zip(self._lists, self._lengths, strict=True):
            del found[length:]


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copy(value) for name, value in group.items() if name != _PARAMETERS}


def _copy(value: Any) -> Any:  # noqa: ANN401  (of any optimizer)
    return value.detach().clone() if isinstance(value, Tensor) else value


def _put(group: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401
    held = group.get(name)
    if isinstance(held, Tensor) and isinstance(value, Tensor):
        held.copy_(value)  # optimizers of captured graphs hold the tensor
    else:
        group[name] = value
