"""One folder of logs: log.jsonl, weights_sparsity.csv, and events for TensorBoard."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import torch

from qprep.compression.errors import CompressionError
from qprep.compression.logs.events import EventsWriter
from qprep.compression.names import ParameterNames
from qprep.compression.sparsity import kernel_sparsity, sparsity_of, weights_of

CSV_COLUMNS: Final = (
    "parameter",
    "shape",
    "volume",
    "sparse volume",
    "sparsity level",
    "kernel sparsity",
    "epoch step",
)


@dataclass(frozen=True, slots=True)
class Event:
    """A value at a step (minibatches since the training began) of an epoch."""

    step: int
    epoch: int
    name: str
    value: float


class Recorder:
    """Writes events to a folder; files that are there are continued. CompressionError if it cannot be written."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lines: IO[str] = (folder / "log.jsonl").open("a", encoding="utf-8")
            self._events = EventsWriter(folder)
        except OSError as error:
            raise CompressionError(f"logs: `{folder}` cannot be written: {error.strerror}") from error
        self._table = folder / "weights_sparsity.csv"

    def write(self, events: Sequence[Event]) -> None:
        """One line and one scalar for each."""
        for each in events:
            data = {"step": each.step, "epoch": each.epoch, "name": each.name, "value": each.value}
            self._lines.write(json.dumps(data) + "\n")
            self._events.scalar(each.name, each.value, each.step)
        self._lines.flush()
        self._events.flush()

    def weights(self, step: int, names: ParameterNames) -> None:
        """The table of sparsities as it is now, and a histogram of each weight."""
        with self._table.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(CSV_COLUMNS)
            for name, weight in weights_of(names):
                left = int(torch.count_nonzero(weight))
                shares = [f"{share:.6f}" for share in (sparsity_of(weight), kernel_sparsity(weight))]
                writer.writerow([name, "x".join(map(str, weight.shape)), weight.numel(), left, *shares, step])
        for name, weight in weights_of(names):
            self._events.histogram(f"weights/{name}", weight.detach(), step)
        self._events.flush()

    def close(self) -> None:
        """Close the files."""
        self._lines.close()
        self._events.close()
