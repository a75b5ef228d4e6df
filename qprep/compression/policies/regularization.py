"""A regularizer at its times: penalty, thresholds, proximal steps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm

from qprep.compression.collect import norms_behind
from qprep.compression.coverage import Coverage, FamilyDimension
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
        kept = self.regularizer.proximal_step(partial(_rate, training))
        for parameter, keep in kept.items():
            self._hold(training, parameter, keep)

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
        for parameter in self.regularizer.parameters:
            keep = self.regularizer.keep(parameter) if criterion else self.regularizer.nonzero(parameter)
            self._hold(training, parameter, keep)
        training.masks.apply()

    def _runs(self, training: Training, window: Window) -> bool:
        return window.is_active(training.clock)

    def _zeros(self, training: Training, window: Window) -> dict[Parameter, Tensor]:
        """Masks of the groups that thresholds have set to 0, in the epochs of the policy; see `on_minibatch_end`."""
        if not self._runs(training, window):
            return {}
        found: dict[Parameter, Tensor] = {}
        for parameter in self.regularizer.parameters:
            keep = self.regularizer.nonzero(parameter)
            if not bool(keep.all()):
                _join(found, self._covered(parameter, keep))
        return found

    def _hold(self, training: Training, parameter: Parameter, keep: Tensor) -> None:
        """Mask what is 0; with all that belongs to the same channels where those are whole."""
        if bool(keep.all()):
            return
        share = training.masks.share(parameter, self.name)
        shared = from_first_rank(keep if share is None else keep & share.keep)
        if share is not None and bool((shared == share.keep).all()):
            return
        for each, mask in self._covered(parameter, shared).items():
            known = training.masks.share(each, self.name)
            training.masks.set(each, self.name, Share(mask if known is None else known.keep & mask))

    def _covered(self, parameter: Parameter, keep: Tensor) -> dict[Parameter, Tensor]:
        """The mask of `parameter`, and those of the channels that nothing computes, or nothing reads, because of it."""
        found = {parameter: keep}
        if self._coverage is None:
            return found
        for dim in self._dimensions(parameter):
            for part in self._coverage.parts(parameter, dim):
                gone = self._groups_at_zero(part, dim, keep).nonzero().flatten().tolist()
                if gone:
                    _join(found, self._coverage.masks(part.family, gone))
        return found

    def _groups_at_zero(self, part: FamilyDimension, dim: int, keep: Tensor) -> Tensor:
        """(groups,): True where `keep` has nothing, nor the other weights that compute, or read, the same channels.

        These have to be regularized too: another weight may still need the channel.
        """
        assert self._coverage is not None  # noqa: S101  (there is a part)
        gone = _all_zero(part, dim, keep)
        computing, reading = (set(each(part.family)) for each in (self._coverage.makers, self._coverage.readers))
        if part.parameter not in computing | reading:  # of a norm, or depthwise: behind what computes
            return gone & (len(computing) == 1)
        for peer in (computing if part.parameter in computing else reading) - {part.parameter}:
            parts = [each for each in self._coverage.parts(peer, dim) if each.family.name == part.family.name]
            if peer not in self.regularizer.parameters or not parts:
                return torch.zeros_like(gone)
            for each in parts:
                gone &= _all_zero(each, dim, self.regularizer.nonzero(peer))
        return gone

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


def _all_zero(part: FamilyDimension, dim: int, keep: Tensor) -> Tensor:
    """(groups,): True where `keep`, booleans of a parameter, has nothing along the positions of a group."""
    gone = ~keep.movedim(dim, 0).flatten(1).any(1) if keep.dim() > 1 else ~keep
    return gone.cpu()[part.index].reshape(part.family.size, -1).all(1)


def _join(found: dict[Parameter, Tensor], masks: Mapping[Parameter, Tensor]) -> None:
    """Add masks to those of the same parameters."""
    for parameter, mask in masks.items():
        mine = mask.to(parameter.device)
        found[parameter] = found[parameter] & mine if parameter in found else mine


def _rate(training: Training, parameter: Parameter) -> float:
    """The learning rate of a parameter in the step that was taken; 0 where another optimizer takes its steps."""
    assert training.stepping is not None  # noqa: S101  (called after a step)
    for group in training.stepping.param_groups:
        if any(each is parameter for each in group["params"]):
            return float(group["lr"])
    return 0.0
