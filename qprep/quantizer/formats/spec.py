"""Specifications of quantization: the format of a slot as plain data, checked on construction."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any, Final

from torch import Tensor

from qprep.foundation.errors import QprepError

Range = tuple[float, float]

FLOATS: Final = ("float32", "float16", "bfloat16")


class Scheme(enum.StrEnum):
    """The rule from a range to a scale and a zero point."""

    SYMMETRIC = "symmetric"  # [-2^(b-1), 2^(b-1) - 1], zero point 0
    RESTRICTED = "restricted"  # [-(2^(b-1) - 1), 2^(b-1) - 1], zero point 0
    ASYMMETRIC = "asymmetric"  # any zero point
    UNSIGNED = "unsigned"  # [0, 2^b - 1], zero point 0
    POWER_OF_TWO = "power-of-two"  # symmetric, the scale a power of two


class Granularity(enum.StrEnum):
    """The part of a weight that has one scale."""

    TENSOR = "per-tensor"
    CHANNEL = "per-channel"
    GROUP = "per-group"


@dataclass(frozen=True, slots=True)
class Spec:
    """One slot's format.

    bits        1 to 16; None if `dtype` is a floating format
    signed      whether the integers of an asymmetric or power-of-two scheme are signed
    axis        the channel dimension, per channel and per group
    group_size  how many successive elements behind `axis` share a scale, per group
    estimator   name of the range estimator
    dtype       "float32", "float16" or "bfloat16" instead of integers

    Raises QprepError for values that fit no format.
    """

    bits: int | None = 8
    scheme: Scheme = Scheme.ASYMMETRIC
    granularity: Granularity = Granularity.TENSOR
    signed: bool = False
    axis: int = 0
    group_size: int = 0
    estimator: str = "min-max"
    dtype: str | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None:
            _require(self.dtype in FLOATS, f"a floating format among {', '.join(FLOATS)}", self.dtype)
            _require(self.bits is None, "bits=None with a floating format", self.bits)
            return
        whole = isinstance(self.bits, int) and not isinstance(self.bits, bool)
        _require(whole and 1 <= (self.bits or 0) <= 16, "bits from 1 to 16", self.bits)
        if self.scheme is Scheme.RESTRICTED:
            _require(self.bits != 1, "2 bits or more for a restricted range", self.bits)
        if self.granularity is Granularity.GROUP:
            _require(self.group_size > 0, "a positive group_size per group", self.group_size)

    @property
    def is_float(self) -> bool:
        """True if the slot has a floating format."""
        return self.dtype is not None

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        if self.bits is None:
            raise QprepError(f"expected an integer format, found {self.dtype}")
        if self.scheme is Scheme.UNSIGNED or (self._may_be_unsigned and not self.signed):
            return 0, 2**self.bits - 1
        high = 2 ** (self.bits - 1) - 1
        return (-high if self.scheme is Scheme.RESTRICTED else -high - 1), high

    @property
    def _may_be_unsigned(self) -> bool:
        return self.scheme in (Scheme.ASYMMETRIC, Scheme.POWER_OF_TWO)

    def holding(self, low: float | Tensor) -> Spec:
        """Return the format for values from `low` on: a power-of-two format is signed if `low` is negative."""
        if self.scheme is not Scheme.POWER_OF_TWO or self.signed or not bool(low < 0):
            return self
        return replace(self, signed=True)

    def with_bits(self, bits: int | None) -> Spec:
        """Return the format with other bits; None keeps the slot in float32."""
        if bits is None:
            return FLOAT
        return replace(self, bits=bits, dtype=None)

    def to_data(self) -> dict[str, Any]:
        """Plain values, for JSON and checkpoints."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Spec:
        """Return the format of which `to_data` returned `data`."""
        given = dict(data)
        given["scheme"] = Scheme(given["scheme"])
        given["granularity"] = Granularity(given["granularity"])
        return cls(**given)


def _plain(value: object) -> object:
    return value.value if isinstance(value, enum.Enum) else value


def _require(fulfilled: bool, expected: str, found: object) -> None:
    if not fulfilled:
        raise QprepError(f"expected {expected}, found {found!r}")


FLOAT: Final = Spec(bits=None, dtype="float32")
