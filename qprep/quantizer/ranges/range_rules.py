"""Range estimators: from tensors seen one after another to the range that is quantized.

An estimator sees rows: shape (rows, values), one row per scale (one row for a tensor with a single scale), and keeps a
range for each. Formulas need no second pass over the data.
"""

from __future__ import annotations

import abc

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError


class Estimator(abc.ABC):
    """The running statistics of one slot."""

    def __init__(self) -> None:
        self.count = 0

    def update(self, rows: Tensor, samples: int = 1) -> None:
        """Take in `rows` (rows, values); `samples` equal stretches of the values belong to samples of a batch.

        Empty rows count as nothing seen. Raises QprepError for NaN or infinite values.
        """
        if rows.numel() == 0:
            return
        rows = rows.detach().float()
        low, high = rows.amin(1), rows.amax(1)  # aminmax along a dimension is 15 times as slow on the CPU
        if not bool(torch.isfinite(high - low).all()):
            raise QprepError("expected finite values to take a range of, found NaN or infinity")
        self._take(rows, low, high, samples)
        self.count += 1

    def range(self) -> tuple[Tensor, Tensor]:
        """Lower and upper bounds, shape (rows,). Raises QprepError if nothing was seen."""
        if self.count == 0:
            raise QprepError("expected values to take a range of, found none")
        return self._range()

    @abc.abstractmethod
    def _take(self, rows: Tensor, low: Tensor, high: Tensor, samples: int) -> None: ...

    @abc.abstractmethod
    def _range(self) -> tuple[Tensor, Tensor]: ...


class MinMax(Estimator):
    """The smallest and the largest value of all."""

    low: Tensor
    high: Tensor

    def _take(self, rows: Tensor, low: Tensor, high: Tensor, samples: int) -> None:  # noqa: ARG002
        first = self.count == 0
        self.low = low if first else torch.minimum(self.low, low)
        self.high = high if first else torch.maximum(self.high, high)

    def _range(self) -> tuple[Tensor, Tensor]:
        return self.low, self.high


class MovingAverage(Estimator):
    """Exponential moving average of minimum and maximum, corrected for its start at zero: m / (1 - d^t)."""

    def __init__(self, decay: float = 0.9) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise QprepError(f"expected a decay from 0 up to 1, found {decay!r}")
        self.decay = decay
        self.low, self.high = torch.zeros(1), torch.zeros(1)

    def _take(self, rows: Tensor, low: Tensor, high: Tensor, samples: int) -> None:  # noqa: ARG002
        self.low = self.decay * self.low.to(low) + (1 - self.decay) * low
        self.high = self.decay * self.high.to(high) + (1 - self.decay) * high

    def _range(self) -> tuple[Tensor, Tensor]:
        correction = 1 - self.decay**self.count
        return self.low / correction, self.high / correction


class Average(Estimator):
    """Minimum and maximum of each sample, averaged over all samples."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = torch.zeros(1), torch.zeros(1)
        self.samples = 0

    def _take(self, rows: Tensor, low: Tensor, high: Tensor, samples: int) -> None:
        if rows.shape[1] % samples:
            samples = 1
        if samples > 1:
            parts = rows.reshape(rows.shape[0], samples, -1)
            low, high = parts.amin(2).sum(1), parts.amax(2).sum(1)
        self.low, self.high = self.low.to(low) + low, self.high.to(high) + high
        self.samples += samples

    def _range(self) -> tuple[Tensor, Tensor]:
        return self.low / self.samples, self.high / self.samples


class Moments(MinMax):
    """Mean and central moments of all values, with their bounds: the base of estimators by a distribution."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0
        self.mean, self.squares, self.deviation = torch.zeros(1), torch.zeros(1), torch.zeros(1)

    def _take(self, rows: Tensor, low: Tensor, high: Tensor, samples: int) -> None:
        super()._take(rows, low, high, samples)
        number, mean = rows.shape[1], rows.mean(1)
        delta, total = mean - self.mean.to(mean), self.values + number
        # Chan, Golub, LeVeque 1979: parallel variance.
        around = rows - mean[:, None]
        self.squares = self.squares.to(mean) + (around**2).sum(1) + delta**2 * (self.values * number / total)
        self.deviation = self.deviation.to(mean) + around.abs().sum(1)
        self.mean = self.mean.to(mean) + delta * (number / total)
        self.values = total

    @property
    def std(self) -> Tensor:
        """Standard deviation of all values."""
        return (self.squares / self.values).sqrt()

    @property
    def b(self) -> Tensor:
        """Mean absolute deviation from each batch's mean: a Laplace distribution's scale."""
        return self.deviation / self.values


class StandardDeviations(Moments):
    """mean ± n standard deviations, never wider than what was seen."""

    def __init__(self, n: float = 4.0) -> None:
        super().__init__()
        self.n = n

    def _range(self) -> tuple[Tensor, Tensor]:
        reach = self.n * self.std
        return torch.maximum(self.low, self.mean - reach), torch.minimum(self.high, self.mean + reach)
