"""The work of a command: the parts of some partitionings, and one part as a job for a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.dependencies.partitions import Partition
from qprep.engine.execution import Effort
from qprep.engine.partitioning import Division

if TYPE_CHECKING:
    from qprep.engine.baseline import Baseline
    from qprep.engine.config.settings import SettingsResolver


@dataclass(frozen=True, slots=True)
class Work:
    """All there is to do: the parts of some divisions, under these settings; `overlay`, `baseline` as in `Engine`."""

    divisions: Sequence[Division]
    settings: SettingsResolver
    overlay: Mapping[str, bytes]
    effort: Effort
    baseline: Baseline | None = None

    @property
    def every(self) -> list[tuple[int, Partition]]:
        """The parts in order, each with the number of its division."""
        return [(number, part) for number, division in enumerate(self.divisions) for part in division.parts]


@dataclass(frozen=True, slots=True)
class PartJob:
    """One part to look at: its position among all, its division's, and its size in bytes."""

    position: int
    division: int
    part: Partition
    size: int
