"""Analytical clipping (ACIQ, Banner et al., arXiv:1810.05723): the range that minimises a distribution's error."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from qprep.quantizer.ranges.range_rules import Moments


@lru_cache
def laplace_clip(bits: int) -> float:
    """α / b for `bits` over [-α, α]: the zero of d/dα (2 b² e^(-α/b) + α² / (3 · 4^bits)), by Newton's method."""
    target = math.log(3.0) + bits * math.log(4.0)
    alpha = max(target - math.log(target), 0.5)
    for _ in range(50):
        alpha -= (alpha + math.log(alpha) - target) / (1 + 1 / alpha)
    return alpha


@lru_cache
def gauss_clip(bits: int) -> float:
    """α / σ for `bits` over [-α, α]: the minimum of clipping and rounding error, by ternary search."""
    low, high = 0.0, 10.0
    for _ in range(200):
        third = (high - low) / 3
        if _gauss_error(low + third, bits) < _gauss_error(high - third, bits):
            high -= third
        else:
            low += third
    return (low + high) / 2


def _gauss_error(alpha: float, bits: int) -> float:
    density = math.sqrt(2 / math.pi) * math.exp(-(alpha**2) / 2)
    tail: float = (alpha**2 + 1) * math.erfc(alpha / math.sqrt(2)) - alpha * density
    return tail + alpha**2 / (3.0 * 4.0**bits)


class _Aciq(Moments):
    """Ranges around the mean; one-sided behind a ReLU, where the next bit's value counts, never wider than seen."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def _clip(self, bits: int) -> Tensor:
        raise NotImplementedError

    def _range(self) -> tuple[Tensor, Tensor]:
        two = self._clip(self.bits)
        low, high = self.mean - two, self.mean + two
        one_sided = self.low >= 0
        low = torch.where(one_sided, torch.zeros_like(low), low)
        high = torch.where(one_sided, self._clip(self.bits + 1), high)
        return torch.maximum(low, self.low.clamp(max=0)), torch.minimum(high, self.high)


class AciqLaplace(_Aciq):
    """The clip of a Laplace distribution with the scale measured."""

    def _clip(self, bits: int) -> Tensor:
        return laplace_clip(bits) * self.b


class AciqGauss(_Aciq):
    """The clip of a normal distribution with the standard deviation measured."""

    def _clip(self, bits: int) -> Tensor:
        return gauss_clip(bits) * self.std
