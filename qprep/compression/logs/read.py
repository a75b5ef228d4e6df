"""log.jsonl as columns, for notebooks."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path

from qprep.compression.errors import CompressionError
from qprep.compression.logs.record import Event
from qprep.compression.pictures import lines


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG that a notebook shows."""

    svg: str

    def _repr_html_(self) -> str:
        return self.svg


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """The events of a training in order.

    `log["sparsity/weights/total"]` is a list of (step, value); `log.names` are all there are.
    """

    events: tuple[Event, ...]

    @property
    def names(self) -> list[str]:
        """In order of appearance."""
        return list(dict.fromkeys(each.name for each in self.events))

    def __getitem__(self, name: str) -> list[tuple[int, float]]:
        found = [(each.step, each.value) for each in self.events if each.name == name]
        if not found:
            raise CompressionError(f"expected a name in the log, found {name!r}; known are {', '.join(self.names)}")
        return found

    def columns(self) -> dict[str, list[float | int | str]]:
        """step, epoch, name and value as lists of equal length: for a table of any kind."""
        return {
            "step": [each.step for each in self.events],
            "epoch": [each.epoch for each in self.events],
            "name": [each.name for each in self.events],
            "value": [each.value for each in self.events],
        }

    def plot(self, pattern: str) -> Picture:
        """A picture of all values whose names match `pattern`, with * for anything; CompressionError for none."""
        found = {name: self[name] for name in self.names if fnmatch.fnmatchcase(name, pattern)}
        if not found:
            raise CompressionError(f"expected names in the log that match {pattern!r}, found {', '.join(self.names)}")
        return Picture(lines(found))


def read_log(path: str | Path) -> TrainingLog:
    """The log of a folder, or of a log.jsonl; where a training was resumed, later values replace earlier ones.

    Raises CompressionError, with file and line, for what is not a log.
    """
    file = Path(path)
    file = file / "log.jsonl" if file.is_dir() else file
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CompressionError(f"expected a log, found none that can be read at {file}: {error}") from error
    found: dict[tuple[str, int, int], Event] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            data = json.loads(line)
            event = Event(data["step"], data["epoch"], data["name"], data["value"])
        except (ValueError, KeyError, TypeError) as error:
            raise CompressionError(f"{file}:{number}: expected an event, found other data") from error
        found[event.name, event.step, event.epoch] = event
    return TrainingLog(tuple(sorted(found.values(), key=lambda each: each.step)))
