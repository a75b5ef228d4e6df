"""Regularizers: a part of the loss, or a proximal step after the optimizer's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm

from qprep.compression.errors import CompressionError
from qprep.compression.names import by_pattern
from qprep.compression.pruners.layouts import CRITERIA, Layout, Regime, above, regime_of
from qprep.compression.pruners.pruner import check_at_least
from qprep.compression.registry import register
from qprep.compression.training import Training


class Regularizer:
    """`penalty` is added to the loss for each parameter; a regularizer of your own overrides that.

    reg_regims          strength by name of a parameter (or regular expression), with the options of a subclass
    threshold_criteria  Max or Mean_Abs: after each minibatch, groups whose largest or mean magnitude is not above the
                        strength are set to 0
    proximal            in place of a penalty, groups shrink by learning rate · strength after the optimizer's step, and
                        what reaches 0 is masked from then on
    """

    def __init__(
        self,
        reg_regims: Mapping[str, Any],
        threshold_criteria: str | None = None,
        *,
        proximal: bool = False,
        allow_missing: bool = False,
    ) -> None:
        if threshold_criteria not in (None, *CRITERIA):
            raise CompressionError(f"expected threshold_criteria Max, Mean_Abs or none, found {threshold_criteria!r}")
        if threshold_criteria is not None and proximal:
            raise CompressionError("expected threshold_criteria or proximal, found both")
        self.reg_regims = {name: self.regime(name, value) for name, value in reg_regims.items()}
        self.threshold_criteria, self.proximal, self.allow_missing = threshold_criteria, proximal, allow_missing
        self.parameters: dict[Parameter, str] = {}

    def regime(self, name: str, value: Any) -> tuple[float, Any]:  # noqa: ANN401  (of the file)
        """The strength and what else an entry says; CompressionError for what cannot be meant."""
        return check_at_least(value, f"the strength of {name}"), None

    def bind(self, training: Training) -> None:
        """Find the parameters and check them."""
        self.parameters, notes = by_pattern(self.reg_regims, training.names, self.allow_missing)
        if not self.parameters and not notes:
            raise CompressionError(f"expected parameters for {type(self).__name__}, found none")
        for sentence in notes:
            training.note(sentence)
        for parameter in self.parameters:
            self.check(training.name(parameter), parameter)

    def check(self, name: str, parameter: Parameter) -> None:
        """CompressionError, with name and shape, for a parameter that has no such groups."""

    def of(self, parameter: Parameter) -> tuple[float, Any]:
        """The strength for a parameter, and what else its entry says."""
        return self.reg_regims[self.parameters[parameter]]

    def penalty(self, parameter: Parameter) -> Tensor:
        """A scalar that is added to the loss."""
        raise NotImplementedError

    def layouts(self, parameter: Parameter) -> Sequence[Layout]:
        """The groups of a parameter; none where each weight is by itself."""
        raise NotImplementedError

    def loss(self) -> Tensor | None:
        """The sum over all parameters; None without any."""
        parts = [self.penalty(each) for each in self.parameters]
        return torch.stack(parts).sum() if parts else None

    @torch.no_grad()
    def keep(self, parameter: Parameter) -> Tensor:
        """The values above the threshold, by `threshold_criteria`: booleans of the parameter's shape."""
        return above(parameter, self.of(parameter)[0], self.layouts(parameter), self.threshold_criteria)

    @torch.no_grad()
    def shrink(self, parameter: Parameter, rate: float) -> Tensor:
        """One proximal step in place: groups times max(0, 1 - rate · λ / norm); returns what is not 0 after it."""
        strength, _ = self.of(parameter)
        layouts = self.layouts(parameter)
        if not layouts:
            parameter.copy_(parameter.sign() * (parameter.abs() - rate * strength).clamp(min=0))
        for layout in layouts:
            size = torch.linalg.vector_norm(layout.rows(parameter), dim=1)
            factor = (1 - rate * strength / size.clamp(min=torch.finfo(size.dtype).tiny)).clamp(min=0)
            parameter.mul_(layout.spread(factor, parameter.shape))
        return self.nonzero(parameter)

    def proximal_step(self, rate: Callable[[Parameter], float]) -> dict[Parameter, Tensor]:
        """One proximal step of all parameters, with the learning rate of each; returns what is not 0 after it."""
        return {each: self.shrink(each, rate(each)) for each in self.parameters}

    def nonzero(self, parameter: Parameter) -> Tensor:
        """The values in groups that are not all 0: booleans of the shape of the parameter."""
        layouts = self.layouts(parameter)
        if not layouts:
            return parameter != 0
        found = torch.ones_like(parameter, dtype=torch.bool)
        for layout in layouts:
            found &= layout.spread((layout.rows(parameter) != 0).any(1), parameter.shape)
        return found


@register
class L1Regularizer(Regularizer):
    """λ · Σ|w|. On the γ of BatchNorm it is network slimming (Liu et al., arXiv:1708.06519)."""

    def penalty(self, parameter: Parameter) -> Tensor:
        """λ · Σ|w|."""
        return self.of(parameter)[0] * parameter.abs().sum()

    def layouts(self, parameter: Parameter) -> Sequence[Layout]:  # noqa: ARG002
        """Each weight by itself."""
        return ()


@register
class GroupLassoRegularizer(Regularizer):
    """λ · Σ‖group‖₂ (Wen et al., arXiv:1608.03665).

    reg_regims  [λ, group] by name; groups are Filters (or 3D), Channels, 2D, 4D, Rows and Cols of a matrix, Blocks with
                a third entry [filters, channels, height, width], or two of them with + between
    """

    _regimes: Mapping[Parameter, Regime] = MappingProxyType({})  # of each parameter in its layer

    def regime(self, name: str, value: Any) -> tuple[float, Any]:  # noqa: ANN401
        """[λ, group] or [λ, group, block_shape]."""
        found = regime_of(name, value, "strength")
        return found.strength, found

    def check(self, name: str, parameter: Parameter) -> None:
        """The weight has such groups."""
        self._regime(parameter).check(name, parameter)

    def penalty(self, parameter: Parameter) -> Tensor:
        """λ · Σ‖group‖₂; the gradient of a group at 0 is 0."""
        regime = self._regime(parameter)
        parts = [torch.linalg.vector_norm(layout.rows(parameter), dim=1).sum() for layout in regime.layouts]
        return regime.strength * torch.stack(parts).sum()

    def layouts(self, parameter: Parameter) -> Sequence[Layout]:
        """The groups of the file."""
        return self._regime(parameter).layouts

    def bind(self, training: Training) -> None:
        """As in the base; then the layers are known."""
        super().bind(training)
        self._regimes = {each: self._regime(each).of_layer(training.module_of(each)) for each in self.parameters}

    def _regime(self, parameter: Parameter) -> Regime:
        known = self._regimes.get(parameter)
        found: Regime = self.of(parameter)[1] if known is None else known
        return found


@register
class GroupVarianceRegularizer(GroupLassoRegularizer):
    """λ / var of the groups' L2 norms: it spreads them, so that some are small (Distiller's group variance).

    reg_regims  [λ, group] by name as for group lasso, or λ alone, of channels
    """

    def regime(self, name: str, value: Any) -> tuple[float, Any]:  # noqa: ANN401
        """[λ, group], [λ, group, block_shape] or λ."""
        alone = isinstance(value, (int, float)) and not isinstance(value, bool)
        return super().regime(name, [value, "Channels"] if alone else value)

    def check(self, name: str, parameter: Parameter) -> None:
        """The weight has two such groups or more: a single one has no variance."""
        super().check(name, parameter)
        regime = self._regime(parameter)
        for layout, kind in zip(regime.layouts, regime.kinds, strict=True):
            if layout.rows(parameter.detach()).shape[0] < 2:
                raise CompressionError(
                    f"expected two groups or more for a variance, found one of kind {kind!r} in {name} of shape "
                    f"{tuple(parameter.shape)}"
                )

    def penalty(self, parameter: Parameter) -> Tensor:
        """λ / var(‖group‖₂)."""
        regime = self._regime(parameter)
        parts = []
        for layout in regime.layouts:
            size = torch.linalg.vector_norm(layout.rows(parameter), dim=1)
            parts.append(1 / size.var().clamp(min=torch.finfo(size.dtype).eps))
        return regime.strength * torch.stack(parts).sum()


@register
class BatchNormSlimming(L1Regularizer):
    """λ · Σ|γ| over every BatchNorm of the model (Liu et al., arXiv:1708.06519).

    strength  λ
    ignore    names of γ to leave, or regular expressions
    """

    def __init__(self, strength: float, *, ignore: Sequence[str] = (), proximal: bool = False) -> None:
        super().__init__({}, proximal=proximal)
        self.strength = check_at_least(strength, "strength")
        self.ignore = [ignore] if isinstance(ignore, str) else list(ignore)

    def bind(self, training: Training) -> None:
        """Find every γ; CompressionError if there is none."""
        barred, _ = training.names.ignored(self.ignore)
        found = [each.weight for each in training.model.modules() if isinstance(each, _BatchNorm)]
        for each in found:
            if each is not None and each not in barred:
                name = training.name(each)
                self.parameters[each] = name
                self.reg_regims[name] = (self.strength, None)
        if not self.parameters:
            raise CompressionError("expected BatchNorm with a weight in the model, found none")
