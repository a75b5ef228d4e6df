"""Events for TensorBoard, without tensorboard: TFRecord frames of Event messages (tensorflow/core/util/event.proto)."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from qprep.compression.logs.crc import masked_crc32c
from qprep.compression.logs.protobuf import blob, double, doubles, integer, single

# Event: wall_time 1, step 2, file_version 3, summary 5. Summary: value 1. Value: tag 1, simple_value 2, histo 5.
_VERSION: Final = b"brain.Event:2"
_BINS: Final = 30


class EventsWriter:
    """`events.out.tfevents.*` in a folder; a new file each time, as TensorBoard's own writers do."""

    def __init__(self, folder: Path) -> None:
        name = f"events.out.tfevents.{time.time_ns() // 1_000_000_000}.{socket.gethostname()}.{os.getpid()}"
        number = len(list(folder.glob(f"{name}.*")))
        self.path = folder / f"{name}.{number}"
        self._stream = self.path.open("wb")
        self._frame(double(1, time.time()) + blob(3, _VERSION))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """A number at a step."""
        self._value(blob(1, tag.encode()) + single(2, value), step)

    def histogram(self, tag: str, values: Tensor, step: int) -> None:
        """The distribution of the finite values of a tensor; nothing of an empty one."""
        finite = values.detach().float().cpu().reshape(-1)
        finite = finite[torch.isfinite(finite)]
        if finite.numel() == 0:
            return
        low, high = float(finite.min()), float(finite.max())
        high = high if high > low else low + 1.0
        counts = torch.histc(finite, _BINS, low, high).tolist()
        edges = [low + (high - low) * (place + 1) / _BINS for place in range(_BINS)]
        wide = finite.double()
        # HistogramProto: min 1, max 2, num 3, sum 4, sum_squares 5, bucket_limit 6, bucket 7
        made = (
            (double(1, float(wide.min())) + double(2, float(wide.max())) + double(3, wide.numel()))
            + (double(4, float(wide.sum())) + double(5, float(wide.square().sum())))
            + (doubles(6, edges) + doubles(7, counts))
        )
        self._value(blob(1, tag.encode()) + blob(5, made), step)

    def flush(self) -> None:
        """To the disk."""
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _value(self, value: bytes, step: int) -> None:
        self._frame(double(1, time.time()) + integer(2, step) + blob(5, blob(1, value)))

    def _frame(self, data: bytes) -> None:
        length = struct.pack("<Q", len(data))
        self._stream.write(length + struct.pack("<I", masked_crc32c(length)))
        self._stream.write(data + struct.pack("<I", masked_crc32c(data)))
