"""The few protocol buffer encodings that TensorBoard's events need (developers.google.com/protocol-buffers)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; negative ones as 64 bits."""
    left, found = number & 0xFFFFFFFFFFFFFFFF, bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


def integer(field: int, value: int) -> bytes:
    """A field that holds an integer."""
    return varint(field << 3 | _VARINT) + varint(value)


def double(field: int, value: float) -> bytes:
    """A field of 64 bits."""
    return varint(field << 3 | _DOUBLE) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    """A field of 32 bits."""
    return varint(field << 3 | _FLOAT) + struct.pack("<f", value)


def blob(field: int, value: bytes) -> bytes:
    """A field that holds bytes, text or a message."""
    return varint(field << 3 | _BYTES) + varint(len(value)) + value


def doubles(field: int, values: Iterable[float]) -> bytes:
    """A packed field of doubles."""
    return blob(field, b"".join(struct.pack("<d", value) for value in values))
