"""Range estimators that weigh the whole distribution: percentile, mean squared error, entropy."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.affine import fake_quantize, qparams
from qprep.quantizer.formats.spec import Granularity, Scheme, Spec
from qprep.quantizer.ranges.range_rules import MinMax

_BINS: Final = 4096
_CANDIDATES: Final = 96


class Histogram(MinMax):
    """Counts over [-limit, limit] for each row; a wider value doubles the limit, which merges bins exactly.

    counts  (rows, bins)
    limit   (rows,)
    """

    counts: Tensor
    limit: Tensor

    def _take(self, rows: Tensor, low: Tensor, high: Tensor, samples: int) -> None:
        largest = torch.maximum(-low, high).clamp(min=torch.finfo(torch.float32).tiny)
        if self.count == 0:
            self.counts = torch.zeros(rows.shape[0], _BINS, device=rows.device)
            self.limit = largest
        super()._take(rows, low, high, samples)
        while bool((wide := largest > self.limit).any()):
            self.counts = torch.where(wide[:, None], _halved(self.counts), self.counts)
            self.limit = torch.where(wide, self.limit * 2, self.limit)
        step = self.limit[:, None] / (_BINS // 2)
        index = (rows / step).floor().long().add_(_BINS // 2).clamp_(0, _BINS - 1)
        index += torch.arange(rows.shape[0], device=rows.device)[:, None] * _BINS
        self.counts += torch.bincount(index.flatten(), minlength=self.counts.numel()).view_as(self.counts)

    @property
    def centers(self) -> Tensor:
        """The middle of each bin, shape (rows, bins)."""
        places = (torch.arange(_BINS, device=self.limit.device) + 0.5) / (_BINS // 2) - 1
        return self.limit[:, None] * places


def _halved(counts: Tensor) -> Tensor:
    quarter = _BINS // 4
    merged = counts.view(counts.shape[0], -1, 2).sum(2)
    return torch.nn.functional.pad(merged, (quarter, quarter))


class Percentile(Histogram):
    """The bounds that leave (100 - percentile) / 2 per cent of the values outside at either end."""

    def __init__(self, percentile: float = 99.99) -> None:
        super().__init__()
        if not 50 < percentile <= 100:
            raise QprepError(f"expected a percentile above 50 and up to 100, found {percentile!r}")
        self.tail = (1 - percentile / 100) / 2

    def _range(self) -> tuple[Tensor, Tensor]:
        share = self.counts.double().cumsum(1)
        share /= share[:, -1:].clone()
        step = self.limit / (_BINS // 2)
        below = (share <= self.tail).sum(1)
        upto = (share < 1 - self.tail).sum(1) + 1
        low, high = below * step - self.limit, upto * step - self.limit
        return torch.maximum(low, self.low), torch.minimum(high, self.high)


class MeanSquaredError(Histogram):
    """The bounds, each shrunk towards zero in steps, with the least squared error after quantization by `spec`.

    `norm` other than 2 takes another power of the error.
    """

    def __init__(self, spec: Spec, norm: float = 2.0) -> None:
        super().__init__()
        self.spec, self.norm = spec, norm
        self._values: Tensor | None = None

    def _take(self, rows: Tensor, low: Tensor, high: Tensor, samples: int) -> None:
        # Short rows seen once, as of weights, are their own best histogram.
        self._values = rows if self.count == 0 and rows.shape[1] <= _BINS else None
        super()._take(rows, low, high, samples)

    def _range(self) -> tuple[Tensor, Tensor]:
        low, high = self.low, self.high
        if not bool((self.low < 0).any()):
            return low, self._search(low, high, shrink_low=False, shrink_high=True)[1]
        if self.spec.scheme is not Scheme.ASYMMETRIC:  # one bound decides: both are cut to it
            reach = torch.maximum(-low, high)
            return self._search(-reach, reach, shrink_low=True, shrink_high=True)
        low, high = self._search(low, high, shrink_low=True, shrink_high=True)
        low, high = self._search(low, self.high, shrink_low=False, shrink_high=True)
        return self._search(self.low, high, shrink_low=True, shrink_high=False)

    def _search(self, low: Tensor, high: Tensor, shrink_low: bool, shrink_high: bool) -> tuple[Tensor, Tensor]:
        best = torch.full_like(low, torch.inf)
        best_low, best_high = low, high
        for step in range(_CANDIDATES):
            factor = 1 - step / _CANDIDATES
            at_low, at_high = low * factor if shrink_low else low, high * factor if shrink_high else high
            error = self._error(at_low, at_high)
            better = error < best
            best = torch.where(better, error, best)
            best_low, best_high = torch.where(better, at_low, best_low), torch.where(better, at_high, best_high)
        return best_low, best_high

    def _error(self, low: Tensor, high: Tensor) -> Tensor:
        values = self.centers if self._values is None else self._values
        spec = Spec(self.spec.bits, self.spec.scheme, Granularity.CHANNEL, self.spec.signed).holding(self.low.min())
        error = (fake_quantize(values, qparams(spec, torch.minimum(low, high), high)) - values).abs() ** self.norm
        return (error if self._values is not None else error * self.counts).sum(1)


class Entropy(Histogram):
    """The threshold with the least Kullback-Leibler divergence between values and quantized values.

    Migacz, 8-bit inference with TensorRT, 2017: magnitudes, clipped values added to the last bin.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def _range(self) -> tuple[Tensor, Tensor]:
        found = [self._threshold(row, bool(low >= 0)) for row, low in zip(self.counts, self.low, strict=True)]
        reach = torch.tensor(found, device=self.limit.device) * self.limit / (_BINS // 2)
        return torch.maximum(-reach, self.low), torch.minimum(reach, self.high)

    def _threshold(self, counts: Tensor, one_sided: bool) -> int:
        half = _BINS // 2
        magnitudes = counts[half:] if one_sided else counts[half:] + counts[:half].flip(0)
        magnitudes = magnitudes.double().clone()
        magnitudes[0] = magnitudes[1]  # zeros cost nothing, but would outweigh all else
        levels = 2**self.bits if one_sided else 2 ** (self.bits - 1)
        ends = range(levels, half + 1, max(levels // 4, 8)) if levels <= half else [half]
        return min(ends, key=lambda end: _divergence(magnitudes, end, levels))


def _divergence(counts: Tensor, end: int, levels: int) -> float:
    reference = counts[:end].clone()
    reference[-1] += counts[end:].sum()
    level = torch.arange(end, device=counts.device) * levels // end
    filled = (counts[:end] > 0).double()
    sums = torch.zeros(levels, dtype=torch.double, device=counts.device).index_add_(0, level, counts[:end])
    number = torch.zeros_like(sums).index_add_(0, level, filled)
    expanded = filled * (sums / number.clamp(min=1))[level]
    total, approximate = reference.sum(), expanded.sum()
    if not bool(total > 0) or not bool(approximate > 0):
        return torch.inf
    p, q = reference / total, expanded / approximate
    seen = p > 0
    return float((p[seen] * (p[seen] / q[seen].clamp(min=1e-12)).log()).sum())
