"""Messages between processes of qprep's own: a length and a pickle."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any

Message = Any  # the two ends agree on it
_LENGTH = struct.Struct(">Q")


def write_frame(stream: IO[bytes], message: object) -> None:
    """Send a message; raises OSError where nobody reads."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Message:
    """The next message; None at the end."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        return None
    return pickle.loads(data)  # noqa: S301  (from a process that this one started)
