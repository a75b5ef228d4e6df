"""Baidu's pruning of recurrent networks: a threshold of two slopes over epochs (Narang et al., arXiv:1704.05119)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.pruners.pruner import Context, Pruner, Weights, check_at_least
from qprep.compression.registry import register
from qprep.compression.training import Training
from qprep.compression.windows import Epochs, Window


def slopes(  # noqa: PLR0917  (the numbers of the formula)
    q: float, start: int, ramp: int, end: int, frequency: int, ramp_slope_mult: float
) -> tuple[float, float]:
    """θ = 2 q f / (2 (ramp - start) + 3 (end - ramp)) and φ = ramp_slope_mult · θ, as in Section 3.1 of the paper."""
    theta = 2 * q * frequency / (2 * (ramp - start) + 3 * (end - ramp))
    return theta, ramp_slope_mult * theta


def threshold_at(epoch: int, slope: tuple[float, float], start: int, ramp: int, frequency: int) -> float:
    """ε = θ (e - start + 1) / f before the ramp, then (θ (ramp - start + 1) + φ (e - ramp + 1)) / f."""
    theta, phi = slope
    if epoch < ramp:
        return theta * (epoch - start + 1) / frequency
    return (theta * (ramp - start + 1) + phi * (epoch - ramp + 1)) / frequency


@register
class BaiduRNNPruner(Pruner):
    """Magnitudes up to a threshold go, which rises slowly until the ramp begins, then by the steeper slope.

    q                  the magnitude to start from, such as the 90th percentile of a trained dense network
    ramp_epoch_offset  epochs from the policy's start to the ramp
    ramp_slope_mult    how much steeper the ramp is
    """

    def __init__(
        self,
        q: float,
        ramp_epoch_offset: int,
        ramp_slope_mult: float,
        weights: Weights,
        *,
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        super().__init__(weights, ignore=ignore, allow_missing=allow_missing)
        self.q = check_at_least(q, "q")
        self.offset = int(check_at_least(ramp_epoch_offset, "ramp_epoch_offset", 1))
        self.mult = check_at_least(ramp_slope_mult, "ramp_slope_mult")
        self.range: tuple[int, int, int] | None = None  # first epoch, end, frequency

    def at_window(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Take the epochs of the policy; CompressionError for a window of steps or one that the ramp does not fit."""
        if not isinstance(window, Epochs):
            raise CompressionError("expected BaiduRNNPruner over whole epochs, found steps or fractions of epochs")
        first, frequency, end = window.values[0], window.frequency, window.end
        if first + self.offset >= end:
            raise CompressionError(
                f"expected ramp_epoch_offset below the number of epochs ({end - first}), found {self.offset}"
            )
        self.range = first, end, frequency

    def mask(self, parameter: Parameter, context: Context) -> Tensor:  # noqa: ARG002
        """See the class."""
        assert self.range is not None  # noqa: S101  (bound before)
        start, end, frequency = self.range
        ramp = start + self.offset
        slope = slopes(self.q, start, ramp, end, frequency, self.mult)
        return context.values.abs() > threshold_at(context.epoch, slope, start, ramp, frequency)
