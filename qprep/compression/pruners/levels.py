"""Single weights by magnitude, to a sparsity: at once, or step by step (AGP)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.pruners.pruner import Context, Pruner, Weights, check_at_least, check_share, keep_highest
from qprep.compression.pruners.rates import Ramp
from qprep.compression.registry import register

SCOPES = ("layer", "global")


def lowest_of_all(contexts: Mapping[Parameter, Context], level: float) -> dict[Parameter, Tensor]:
    """Masks without the share `level` of the smallest magnitudes of all parameters taken together."""
    device = next(iter(contexts)).device
    magnitudes = [context.values.detach().abs().reshape(-1).float().to(device) for context in contexts.values()]
    keep = keep_highest(torch.cat(magnitudes), round(level * sum(each.numel() for each in magnitudes)))
    parts = torch.split(keep, [each.numel() for each in magnitudes])
    return {each: part.view(each.shape).to(each.device) for each, part in zip(contexts, parts, strict=True)}


def check_scope(scope: str) -> str:
    """CompressionError for no scope."""
    if scope not in SCOPES:
        raise CompressionError(f"expected scope among {', '.join(SCOPES)}, found {scope!r}")
    return scope


@register
class SparsityLevelParameterPruner(Pruner):
    """The share of smallest magnitudes that `levels` gives for each name goes; exact, of equal ones the first.

    levels  sparsity by name, 0 to 1; "*" is that of all other weights
    """

    def __init__(self, levels: Mapping[str, float], *, ignore: Weights = (), allow_missing: bool = False) -> None:
        for name, level in levels.items():
            check_share(level, f"the level of {name}")
        super().__init__(dict(levels), ignore=ignore, allow_missing=allow_missing)
        self.levels = dict(levels)

    def mask(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        return self.lowest(context.values.abs(), self.value_for(parameter, self.levels))


@register
class AutomatedGradualPruner(Pruner):
    """AGP (Zhu and Gupta, arXiv:1710.01878): the sparsity grows from initial to final over the policy's steps.

    scope  "layer": each parameter has that sparsity; "global": all of them together
    rate   cubic (the paper's), cosine, exponential, linear or once
    """

    needs_steps: ClassVar[bool] = True

    def __init__(
        self,
        initial_sparsity: float,
        final_sparsity: float,
        weights: Weights,
        *,
        scope: str = "layer",
        rate: str = "cubic",
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        super().__init__(weights, ignore=ignore, allow_missing=allow_missing)
        self.ramp = Ramp(initial_sparsity, final_sparsity, rate)
        self.scope = check_scope(scope)

    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """See the class."""
        if self.scope == "layer" or not contexts:
            return super().masks(contexts)
        return lowest_of_all(contexts, self.ramp.at(next(iter(contexts.values())).progress))

    def mask(self, parameter: Parameter, context: Context) -> Tensor:  # noqa: ARG002
        """See the class."""
        return self.lowest(context.values.abs(), self.ramp.at(context.progress))


@register
class MagnitudeParameterPruner(Pruner):
    """Keeps the values whose magnitude is above their threshold.

    thresholds  by name; "*" is that of all other weights
    """

    def __init__(self, thresholds: Mapping[str, float], *, ignore: Weights = (), allow_missing: bool = False) -> None:
        _check_positive(thresholds, "threshold")
        super().__init__(dict(thresholds), ignore=ignore, allow_missing=allow_missing)
        self.thresholds = dict(thresholds)

    def mask(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        threshold: float = self.value_for(parameter, self.thresholds)
        return context.values.abs() > threshold


@register
class SensitivityPruner(Pruner):
    """Magnitudes up to s · σ go, σ the standard deviation of the weights at first use (Han et al., arXiv:1506.02626).

    sensitivities  s by name; "*" is that of all other weights
    """

    def __init__(
        self, sensitivities: Mapping[str, float], *, ignore: Weights = (), allow_missing: bool = False
    ) -> None:
        _check_positive(sensitivities, "sensitivity")
        super().__init__(dict(sensitivities), ignore=ignore, allow_missing=allow_missing)
        self.sensitivities = dict(sensitivities)
        self.thresholds: dict[str, float] = {}

    def mask(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        if context.name not in self.thresholds:
            sensitivity = self.value_for(parameter, self.sensitivities)
            self.thresholds[context.name] = float(context.values.std()) * sensitivity
        return context.values.abs() > self.thresholds[context.name]

    def state_dict(self) -> dict[str, Any]:
        """The thresholds."""
        return {"thresholds": dict(self.thresholds)}

    def load_state_dict(self, state: Mapping[str, Any], names: object) -> None:  # noqa: ARG002
        """The thresholds."""
        self.thresholds = dict(state["thresholds"])


def _check_positive(values: Mapping[str, float], what: str) -> None:
    for name, value in values.items():
        check_at_least(value, f"the {what} of {name}")
