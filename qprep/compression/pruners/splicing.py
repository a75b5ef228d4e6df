"""Splicing: weights go and come back (Guo et al., arXiv:1608.04493, dynamic network surgery)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.pruners.pruner import Context, Pruner, Weights, check_at_least
from qprep.compression.registry import register
from qprep.compression.training import Training
from qprep.compression.windows import Epochs, Window


@register
class SplicingPruner(Pruner):
    """With t = mean|w| + s · std|w| of the start: below low · t out, above high · t back in, between as before.

    sensitivities           s by name
    sensitivity_multiplier  s grows by this share of itself in each epoch after the policy's first
    """

    def __init__(
        self,
        sensitivities: Mapping[str, float],
        low_thresh_mult: float,
        hi_thresh_mult: float,
        sensitivity_multiplier: float = 0.0,
        *,
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        for name, value in sensitivities.items():
            check_at_least(value, f"the sensitivity of {name}")
        check_at_least(low_thresh_mult, "low_thresh_mult")
        check_at_least(sensitivity_multiplier, "sensitivity_multiplier")
        if hi_thresh_mult < low_thresh_mult:
            raise CompressionError(
                f"expected hi_thresh_mult from low_thresh_mult ({low_thresh_mult:g}) on, found {hi_thresh_mult:g}"
            )
        super().__init__(dict(sensitivities), ignore=ignore, allow_missing=allow_missing)
        self.sensitivities = dict(sensitivities)
        self.low, self.high, self.growth = low_thresh_mult, hi_thresh_mult, sensitivity_multiplier
        self.kept: dict[str, Tensor] = {}
        self.start: dict[str, tuple[float, float]] = {}  # mean and standard deviation of magnitudes
        self.first = 0

    def at_window(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Count epochs from the policy's first."""
        self.first = window.values[0] if isinstance(window, Epochs) else 0

    def mask(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        magnitudes, name = context.values.abs(), context.name
        if name not in self.start:
            self.start[name] = (float(magnitudes.mean()), float(magnitudes.std()))
            self.kept[name] = torch.ones_like(magnitudes, dtype=torch.bool)
        mean, deviation = self.start[name]
        sensitivity = self.value_for(parameter, self.sensitivities) * (1 + self.growth * (context.epoch - self.first))
        threshold = mean + sensitivity * deviation
        before = self.kept[name].to(magnitudes.device)
        self.kept[name] = (before | (magnitudes >= self.high * threshold)) & (magnitudes >= self.low * threshold)
        return self.kept[name]

    def state_dict(self) -> dict[str, Any]:
        """Masks, and statistics of the start."""
        return {
            "kept": dict(self.kept),
            "start": {name: list(each) for name, each in self.start.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any], names: object) -> None:  # noqa: ARG002
        """See `state_dict`."""
        self.kept = dict(state["kept"])
        self.start = {name: (each[0], each[1]) for name, each in state["start"].items()}
