"""CRC-32C (Castagnoli, RFC 3720 B.4) and TensorFlow's masked form of it."""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0x82F63B78  # reversed
_MASK: Final = 0xA282EAD8  # of TensorFlow's record format
_ALL: Final = 0xFFFFFFFF


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        found.append(value)
    return tuple(found)


_TABLE: Final = _table()


def crc32c(data: bytes) -> int:
    """The checksum of `data`."""
    value = _ALL
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ _ALL


def masked_crc32c(data: bytes) -> int:
    """Rotated right by 15 bits, plus a constant, so that checksums of data with checksums in it are of use."""
    value = crc32c(data)
    return ((value >> 15 | value << 17) + _MASK) & _ALL
