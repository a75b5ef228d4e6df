"""Fixed-point arithmetic on tensors of integers: multiplier and shift instead of a real factor.

A factor M is M0 · 2^-n with M0 of 31 bits (Jacob et al., arXiv:1712.05877, section 2.2). Rounding is half to even, as
that of the simulation, so that factors which are powers of two agree on ties too.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

MULTIPLIER_BITS: Final = 31
_WORD: Final = 62  # bits of a product that an int64 holds beside its sign, one kept for rounding


def multiplier(factor: Tensor) -> tuple[Tensor, Tensor]:
    """M0 and n, int64, of each element of `factor` (float64, of either sign): factor = M0 · 2^-n."""
    mantissa, exponent = torch.frexp(factor)
    whole = torch.round(mantissa * 2.0**MULTIPLIER_BITS).to(torch.int64)
    return whole, MULTIPLIER_BITS - exponent.to(torch.int64)


def scaled(ints: Tensor, bits: int, factor: Tensor) -> Tensor:
    """round(ints · factor) as int64; `bits` bounds the magnitude of `ints`, `factor` broadcasts to it.

    Integers of more than 31 bits are multiplied in two parts, so that each product fits 62. What does not fit is
    bounded by ±2^61.
    """
    whole, shift = multiplier(factor)
    wide = ints.to(torch.int64)
    surplus = max(bits + MULTIPLIER_BITS - _WORD, 0)
    if not surplus:
        return shifted(wide * whole, shift)
    upper = wide >> surplus
    lower = wide - (upper << surplus)
    return shifted(upper * whole + (lower * whole >> surplus), shift - surplus)


def shifted(ints: Tensor, shift: Tensor) -> Tensor:
    """round(ints · 2^-shift), half to even; a negative shift goes to the left and stops at ±2^61."""
    left = (-shift).clamp(min=0, max=61)
    bound = torch.ones_like(left) << (61 - left)
    grown = torch.maximum(torch.minimum(ints, bound), -bound) << left
    right = shift.clamp(min=0, max=_WORD)
    floor = grown >> right
    rest = grown - (floor << right)
    half = (torch.ones_like(right) << right) >> 1
    up = (right > 0) & ((rest > half) | ((rest == half) & ((floor & 1) == 1)))
    return torch.where(shift > _WORD, torch.zeros_like(floor), floor + up.to(torch.int64))


def divided(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Numerator / denominator rounded to the nearest integer, half up; the denominator is positive."""
    return torch.div(2 * numerator + denominator, 2 * denominator, rounding_mode="floor")


def root(ints: Tensor) -> Tensor:
    """The largest integer whose square is at most `ints` (int64, not negative, below 2^62)."""
    found = ints.double().sqrt().to(torch.int64)
    found = torch.where(found * found > ints, found - 1, found)
    return torch.where((found + 1) * (found + 1) <= ints, found + 1, found)
