"""Schedules of a sparsity from the first step of a policy to its last."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from qprep.compression.errors import CompressionError
from qprep.compression.pruners.pruner import check_share
from qprep.foundation.suggestions import did_you_mean


def cubic(progress: float) -> float:
    """1 - (1 - p)³: AGP (Zhu and Gupta, arXiv:1710.01878)."""
    return 1 - (1 - progress) ** 3


def cosine(progress: float) -> float:
    """(1 - cos πp) / 2."""
    return (1 - math.cos(math.pi * progress)) / 2


def exponential(progress: float) -> float:
    """(1 - e^(-5p)) / (1 - e^(-5))."""
    return (1 - math.exp(-5 * progress)) / (1 - math.exp(-5))


def linear(progress: float) -> float:
    """The progress p itself."""
    return progress


def once(progress: float) -> float:  # noqa: ARG001  (the signature of a rate)
    """1 from the first step on."""
    return 1.0


RATES: Final = MappingProxyType[str, Callable[[float], float]](
    {"cubic": cubic, "cosine": cosine, "exponential": exponential, "linear": linear, "once": once}
)


@dataclass(frozen=True, slots=True)
class Ramp:
    """s_f + (s_i - s_f) (1 - rate(p)) for a progress p of 0 to 1."""

    initial: float
    final: float
    rate: str = "cubic"

    def __post_init__(self) -> None:
        check_share(self.initial, "initial_sparsity")
        check_share(self.final, "final_sparsity")
        if self.final <= self.initial:
            raise CompressionError(
                f"expected final_sparsity above initial_sparsity ({self.initial:g}), found {self.final:g}"
            )
        if self.rate not in RATES:
            raise CompressionError(
                f"expected rate among {', '.join(RATES)}, found {self.rate!r}{did_you_mean(str(self.rate), RATES)}"
            )

    @property
    def is_gradual(self) -> bool:
        """True if it needs more than one step."""
        return self.rate != "once"

    def at(self, progress: float) -> float:
        """The sparsity, 0 to 1."""
        return self.final + (self.initial - self.final) * (1 - RATES[self.rate](progress))
