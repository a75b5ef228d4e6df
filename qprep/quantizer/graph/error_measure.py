"""Signal-to-noise ratios and histograms, added up over batches."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.formats.stored import is_on, per_element
from qprep.quantizer.graph.tensor_leaves import tensors_in

_BINS: Final = 48


class Ratio:
    """10 log10 of the sum of squares of a signal over that of its error."""

    def __init__(self) -> None:
        self.signal = 0.0
        self.noise = 0.0

    def add(self, reference: Tensor, found: Tensor) -> None:
        """Take in a tensor and what became of it."""
        self.signal += float(reference.double().pow(2).sum())
        self.noise += float((reference.double() - found.double()).pow(2).sum())

    def add_all(self, reference: object, found: object) -> None:
        """Take in every floating tensor of two results of the same structure."""
        for one, other in zip(tensors_in(reference), tensors_in(found), strict=True):
            if one.is_floating_point():
                self.add(one, other)
        if not math.isfinite(self.signal):
            raise QprepError("expected finite values to measure, found NaN or infinity at the model's output")

    @property
    def decibels(self) -> float:
        """Infinity without noise."""
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal > 0 else -math.inf


def outside(values: Tensor, grid: QParams) -> int:
    """The number of `values` that are clamped, beyond half a step."""
    scale, zero_point = (per_element(each, values, grid) for each in (grid.scale, grid.zero_point))
    level = torch.round(values / scale) + zero_point
    return int(((level < grid.low) | (level > grid.high)).sum())


class Comparison:
    """A tensor slot in float and quantized."""

    def __init__(self) -> None:
        self.ratio = Ratio()
        self.low, self.high = math.inf, -math.inf
        self._outside = 0
        self._gridded = True
        self._values = 0
        self._counts: Tensor | None = None
        self._edges = (0.0, 1.0)

    def add(self, reference: Tensor, given: Tensor, found: Tensor, grid: QParams | None) -> None:
        """Take in a tensor in float, what the slot was given instead, and made of it, on a grid where that is fixed."""
        if reference.numel() == 0:
            return
        self.ratio.add(reference, found)
        low, high = (float(bound) for bound in torch.aminmax(reference))
        if not math.isfinite(high - low):
            raise QprepError("expected finite values to measure, found NaN or infinity")
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._values += reference.numel()
        self._gridded = self._gridded and grid is not None and is_on(grid, given, found)
        if grid is not None and self._gridded:
            self._outside += outside(reference, grid)
        self._count(reference, low, high)

    @property
    def clipped(self) -> float:
        """Share of values outside the grid."""
        return self._outside / self._values if self._values and self._gridded else 0.0

    @property
    def gridded(self) -> bool:
        """True if all that was found is what the grid makes of it; not where a method has a formula of its own."""
        return self._gridded and self._values > 0

    @property
    def histogram(self) -> tuple[int, ...]:
        """Counts in equal bins over `edges`, what lies outside in the outer ones."""
        return () if self._counts is None else tuple(int(each) for each in self._counts.tolist())

    @property
    def edges(self) -> tuple[float, float]:
        """The first tensor's range."""
        return self._edges

    def _count(self, reference: Tensor, low: float, high: float) -> None:
        if self._counts is None:
            self._edges = (low, high if high > low else low + 1)
            self._counts = torch.zeros(_BINS)
        values = reference.detach().float().clamp(*self._edges).cpu()
        self._counts += torch.histc(values, _BINS, *self._edges)
