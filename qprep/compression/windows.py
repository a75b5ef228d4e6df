"""Windows of policies: epochs of a list or a range, fractions of epochs, or steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from qprep.compression.errors import CompressionError


@dataclass(slots=True)
class TrainingClock:
    """The progress of a training.

    minibatch    number of the minibatch in its epoch, from 0
    minibatches  how many an epoch has, None as long as that is not known
    step         number of the minibatch since the training began, from 0
    """

    epoch: int = 0
    minibatch: int = 0
    minibatches: int | None = None
    step: int = 0


class Window(Protocol):
    """The times at which a policy runs."""

    @property
    def by_steps(self) -> bool:
        """True if it acts at steps, not at epochs."""

    def in_epoch(self, epoch: int) -> bool:
        """True if the policy runs at the beginning and the end of `epoch`."""

    def is_last(self, epoch: int) -> bool:
        """True if `epoch` is the last one of the policy."""

    def is_active(self, clock: TrainingClock) -> bool:
        """True if the policy runs in this minibatch."""

    def acts(self, clock: TrainingClock) -> bool:
        """True if this minibatch is one of the policy's steps; False for policies of whole epochs."""

    def progress(self, clock: TrainingClock) -> float:
        """0 at the first of the policy's steps, 1 at its last."""

    @property
    def is_single(self) -> bool:
        """True if there is one step only."""

    @property
    def starts_at_once(self) -> bool:
        """True if the policy runs before any minibatch."""


@dataclass(frozen=True, slots=True)
class Epochs:
    """Whole epochs; `end` is the first epoch after the range, which Distiller calls `ending_epoch`."""

    values: Sequence[int]
    end: int
    frequency: int = 1
    by_steps: bool = False

    def in_epoch(self, epoch: int) -> bool:
        """True if it is one of them."""
        return epoch in self.values

    def is_last(self, epoch: int) -> bool:
        """True if it is the last of them."""
        return epoch == self.values[-1]

    def is_active(self, clock: TrainingClock) -> bool:
        """In every minibatch of these epochs."""
        return clock.epoch in self.values

    def acts(self, clock: TrainingClock) -> bool:  # noqa: ARG002
        """Never: these policies act when an epoch begins."""
        return False

    def progress(self, clock: TrainingClock) -> float:
        """Distiller's: (epoch - first) / (last - first), where last is the last epoch that the policy runs in."""
        span = self.values[-1] - self.values[0]
        return 1.0 if span == 0 else min(max((clock.epoch - self.values[0]) / span, 0.0), 1.0)

    @property
    def is_single(self) -> bool:
        """One epoch."""
        return len(self.values) == 1

    @property
    def starts_at_once(self) -> bool:
        """In epoch 0."""
        return self.values[0] == 0


@dataclass(frozen=True, slots=True)
class Steps:
    """Every `frequency`-th minibatch from `start` on, before `end`, counted since the training began."""

    start: int
    end: int
    frequency: int = 1
    by_steps: bool = True

    def in_epoch(self, epoch: int) -> bool:  # noqa: ARG002
        """Never: these policies act in minibatches."""
        return False

    def is_last(self, epoch: int) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def is_active(self, clock: TrainingClock) -> bool:
        """From the first step to the last."""
        return self.start <= clock.step < self.end

    def acts(self, clock: TrainingClock) -> bool:
        """Every `frequency`-th."""
        return self.is_active(clock) and (clock.step - self.start) % self.frequency == 0

    def progress(self, clock: TrainingClock) -> float:
        """As for epochs."""
        span = (self.end - self.start - 1) // self.frequency * self.frequency
        return 1.0 if span == 0 else min(max((clock.step - self.start) / span, 0.0), 1.0)

    @property
    def is_single(self) -> bool:
        """One step."""
        return self.end - self.start <= self.frequency

    @property
    def starts_at_once(self) -> bool:
        """At step 0."""
        return self.start == 0


@dataclass(frozen=True, slots=True)
class Fractions:
    """Parts of epochs: the same as steps once the number of minibatches in an epoch is known."""

    start: float
    end: float
    frequency: float
    by_steps: bool = True

    def in_epoch(self, epoch: int) -> bool:  # noqa: ARG002
        """Never: these policies act in minibatches."""
        return False

    def is_last(self, epoch: int) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def is_active(self, clock: TrainingClock) -> bool:
        """See `Steps`; False in epochs that end before the first part, also where their length is not known yet."""
        return clock.epoch + 1 > self.start and self._steps(clock).is_active(clock)

    def acts(self, clock: TrainingClock) -> bool:
        """See `Steps`."""
        return self.is_active(clock) and self._steps(clock).acts(clock)

    def progress(self, clock: TrainingClock) -> float:
        """See `Steps`."""
        return self._steps(clock).progress(clock)

    @property
    def is_single(self) -> bool:
        """One step."""
        return self.end - self.start <= self.frequency

    @property
    def starts_at_once(self) -> bool:
        """At step 0."""
        return self.start == 0

    def _steps(self, clock: TrainingClock) -> Steps:
        number = clock.minibatches
        if number is None:
            raise CompressionError(
                f"expected minibatches_per_epoch in on_minibatch_begin, found none, and a policy that starts at epoch "
                f"{self.start:g} and acts every {self.frequency:g} epochs needs it"
            )
        return Steps(round(self.start * number), round(self.end * number), max(round(self.frequency * number), 1))


def window(
    epochs: Sequence[int] | None = None,
    starting_epoch: float | None = None,
    ending_epoch: float | None = None,
    frequency: float = 1,
    steps: Sequence[int] | None = None,
) -> Window:
    """The window of these arguments: `epochs`, a range of epochs, or `steps: [first, end]`; one of the three.

    CompressionError if none or several are given, and for what is empty, negative or no number.
    """
    ranged = starting_epoch is not None or ending_epoch is not None
    if (epochs is not None) + ranged + (steps is not None) != 1:
        raise CompressionError(
            "expected either epochs, or starting_epoch and ending_epoch, or steps, found "
            f"{'several of them' if ranged or epochs is not None else 'none of them'}"
        )
    if epochs is not None:
        if frequency != 1:
            raise CompressionError(f"expected no frequency with a list of epochs, found {frequency!r}")
        return _listed(epochs)
    if steps is not None:
        return _stepped(steps, frequency)
    if starting_epoch is None or ending_epoch is None:
        missing = "starting_epoch" if starting_epoch is None else "ending_epoch"
        raise CompressionError(f"expected starting_epoch and ending_epoch, found no {missing}")
    return _ranged(starting_epoch, ending_epoch, frequency)


def _listed(epochs: Sequence[int]) -> Epochs:
    wrong = [each for each in epochs if not _is_whole(each) or each < 0]
    if wrong or not epochs:
        raise CompressionError(f"expected a list of epochs, whole numbers from 0 on, found {list(epochs)!r}")
    values = tuple(sorted({int(each) for each in epochs}))
    return Epochs(values, values[-1] + 1)


def _stepped(steps: Sequence[int], frequency: float) -> Steps:
    if len(steps) != 2 or not all(map(_is_whole, steps)) or not 0 <= steps[0] < steps[1]:
        raise CompressionError(f"expected steps as [first, end] with 0 <= first < end, found {list(steps)!r}")
    _check_frequency(frequency, steps[1] - steps[0])
    if not _is_whole(frequency):
        raise CompressionError(f"expected a whole number of steps as frequency, found {frequency!r}")
    return Steps(steps[0], steps[1], int(frequency))


def _ranged(start: float, end: float, frequency: float) -> Window:
    for each in (start, end, frequency):
        if isinstance(each, bool) or not isinstance(each, (int, float)) or not math.isfinite(each):
            raise CompressionError(f"expected numbers of epochs, found {each!r}")
    if start < 0:
        raise CompressionError(f"expected starting_epoch from 0 on, found {start!r}")
    if end <= start:
        raise CompressionError(f"expected ending_epoch after starting_epoch ({start:g}), found {end:g}")
    _check_frequency(frequency, end - start)
    if all(map(_is_whole, (start, end, frequency))):
        return Epochs(range(int(start), int(end), int(frequency)), int(end), int(frequency))
    return Fractions(start, end, frequency)


def _check_frequency(frequency: float, span: float) -> None:
    if not 0 < frequency <= span:
        raise CompressionError(f"expected a frequency above 0, up to {span:g}, found {frequency!r}")


def _is_whole(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and value == int(value)
