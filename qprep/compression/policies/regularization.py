"""A regularizer at its times: penalty, thresholds, proximal steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm

from qprep.compression.collect import norms_behind
from qprep.compression.coverage import Coverage
from qprep.compression.errors import CompressionError
from qprep.compression.masks import Share
from qprep.compression.optimizers import members_of
from qprep.compression.policy import Policy
from qprep.compression.pruners.layouts import StructureKind
from qprep.compression.ranks import from_first_rank
from qprep.compression.regularizers import Regularizer
from qprep.compression.training import Metrics, Training
from qprep.compression.windows import Window


class RegularizationPolicy(Policy):
    """Adds a regularizer to the loss in its epochs, or shrinks groups after the optimizer's step.

    keep_mask  what is thresholded in the last epoch stays masked
    """

    adds_loss: ClassVar[bool] = True

    def __init__(self, regularizer: Regularizer, *, keep_mask: bool = False, name: str = "") -> None:
        if not isinstance(regularizer, Regularizer):
            raise CompressionError(f"expected a regularizer, found {type(regularizer).__name__}")
        self.regularizer, self.keep_mask = regularizer, keep_mask
        self.adds_loss = not regularizer.proximal  # type: ignore[misc]
        self.name = name or type(regularizer).__name__
        self._coverage: Coverage | None = None
        self._bound = False

    @property
    def parameters(self) -> Collection[Parameter]:
        """The regularizer's."""
        return self.regularizer.parameters if self._bound else ()

    def bind(self, training: Training, window: Window) -> None:
        """Find and check the parameters; a note where BatchNorm hides what is regularized."""
        if self.regularizer.threshold_criteria is not None:
            training.unmasked_zeros.append(partial(self._zeros, training, window))
        if self._bound:
            return
        self.regularizer.bind(training)
        self._bound = True
        self._coverage = Coverage(training)
        if self.regularizer.proximal:
            self._check_optimizer(training)
        self._note_scale_invariant(training)

    def before_backward(self, training: Training, window: Window, loss: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ARG002
        """The loss with the penalty, and the penalty."""
        added = None if self.regularizer.proximal else self.regularizer.loss()
        return (loss, None) if added is None else (loss + added.to(loss.device), added)

    def after_step(self, training: Training, window: Window) -> None:
        """The proximal step."""
        if not (self.regularizer.proximal and self._runs(training, window)):
            return
        self._hold(training, self.regularizer.proximal_step(partial(_rate, training)))

    def on_minibatch_end(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Threshold, if the file sets it."""
        if self.regularizer.threshold_criteria is None:
            return
        with torch.no_grad():
            for parameter in self.regularizer.parameters:
                parameter.mul_(self.regularizer.keep(parameter).to(parameter.dtype))

    def on_epoch_end(self, training: Training, window: Window, metrics: Metrics | None) -> None:  # noqa: ARG002
        """After the last epoch what is 0 by groups stays masked, where keep_mask says so."""
        if not (self.keep_mask and window.is_last(training.clock.epoch)):
            return
        criterion = self.regularizer.threshold_criteria
        keep = self.regularizer.keep if criterion else self.regularizer.nonzero
        self._hold(training, {each: keep(each) for each in self.regularizer.parameters})
        training.masks.apply()

    def _runs(self, training: Training, window: Window) -> bool:
        return window.is_active(training.clock)

    def _zeros(self, training: Training, window: Window) -> dict[Parameter, Tensor]:
        """Masks of the groups that thresholds have set to 0, in the epochs of the policy; see `on_minibatch_end`."""
        if not self._runs(training, window):
            return {}
        found = {each: self.regularizer.nonzero(each) for each in self.regularizer.parameters}
        return self._covered({each: keep for each, keep in found.items() if not bool(keep.all())})

    def _hold(self, training: Training, keeps: Mapping[Parameter, Tensor]) -> None:
        """Mask what is 0; with all that belongs to the same channels where those are whole."""
        shares = {each: training.masks.share(each, self.name) for each in keeps}
        shared = {
            each: from_first_rank(keep if (share := shares[each]) is None else keep & share.keep)
            for each, keep in keeps.items()
            if not bool(keep.all())
        }
        known = {each: share.keep for each, share in shares.items() if share is not None}
        if all(each in known and torch.equal(keep, known[each]) for each, keep in shared.items()):
            return
        for each, mask in self._covered(shared).items():
            share = training.masks.share(each, self.name)
            training.masks.set(each, self.name, Share(mask if share is None else share.keep & mask))

    def _covered(self, keeps: Mapping[Parameter, Tensor]) -> dict[Parameter, Tensor]:
        return dict(keeps) if self._coverage is None else self._coverage.with_channels(keeps, self._dimensions)

    def _dimensions(self, parameter: Parameter) -> list[int]:
        """The dimensions that groups of a parameter are along."""
        if parameter.dim() == 1:
            return [0]
        return [each.dim for each in self.regularizer.layouts(parameter) if each.dim is not None]

    def _check_optimizer(self, training: Training) -> None:
        if training.optimizer is None:
            raise CompressionError("expected an optimizer for proximal: true, found none")
        for each in members_of(training.optimizer):
            if not isinstance(each, torch.optim.SGD):
                training.note(
                    f"{self.name}: a proximal step after {type(each).__name__} shrinks by the learning rate, "
                    "not by the optimizer's own step sizes"
                )

    def _note_scale_invariant(self, training: Training) -> None:
        if not training.has_example:
            return
        norms = norms_behind(training.model, training.example)
        found = []
        for parameter in self.regularizer.parameters:
            layer = training.module_of(parameter)
            hidden = layer is not None and isinstance(norms.get(layer), _BatchNorm)
            if hidden and any(each.kind is StructureKind.OUTPUTS for each in self.regularizer.layouts(parameter)):
                found.append(training.name(parameter))
        if found:
            training.note(
                f"{', '.join(found)}: filters in front of BatchNorm have no scale, few will reach 0; "
                "regularize the BatchNorm's weight"
            )


def _rate(training: Training, parameter: Parameter) -> float:
    """The learning rate of a parameter in the step that was taken; 0 where another optimizer takes its steps."""
    assert training.stepping is not None  # noqa: S101  (called after a step)
    for group in training.stepping.param_groups:
        if any(each is parameter for each in group["params"]):
            return float(group["lr"])
    return 0.0
