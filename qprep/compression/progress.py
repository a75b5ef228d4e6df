"""Progress of a training loop: the order of its callbacks, epochs and minibatches."""

from __future__ import annotations

from collections.abc import Mapping

from qprep.compression.errors import CompressionError
from qprep.compression.history import History
from qprep.compression.windows import TrainingClock


class Progress:
    """Place in the loop; raises CompressionError for callbacks out of order.

    began         whether an epoch has begun, ever
    in_epoch      whether one is in progress
    in_minibatch  whether a minibatch is
    continuing    whether the epoch in progress comes from a saved state, and its callback is still to come
    """

    def __init__(self, clock: TrainingClock, history: History) -> None:
        self._clock, self._history = clock, history
        self.began = self.in_epoch = self.in_minibatch = self.continuing = False

    @property
    def minibatch(self) -> int:
        """The number of minibatches so far in the epoch in progress."""
        return self._clock.minibatch if self.in_epoch else 0

    @property
    def next_epoch(self) -> int:
        """The epoch to continue with: the one in progress, or the one after the last."""
        return self._clock.epoch if self.in_epoch or not self.began else self._clock.epoch + 1

    def is_continued(self, epoch: int) -> bool:
        """True, once, if this epoch was in progress in the state that was loaded."""
        if not self.continuing or epoch != self._clock.epoch:
            return False
        self.continuing = False
        return True

    def begin_epoch(self, epoch: int) -> bool:
        """Enter an epoch; True for the first one of the training."""
        self._check_epoch(epoch)
        self._clock.epoch, self._clock.minibatch = epoch, 0
        first, self.began, self.in_epoch = not self.began, True, True
        self.in_minibatch = self.continuing = False
        return first

    def begin_minibatch(self, epoch: int, minibatch: int | None, minibatches: int | None) -> None:
        """Enter a minibatch; one that is still in progress is done."""
        self.check("on_minibatch_begin", epoch)
        self.leave_minibatch()
        clock = self._clock
        clock.minibatch = clock.minibatch if minibatch is None else minibatch
        clock.minibatches = clock.minibatches if minibatches is None else minibatches
        self.in_minibatch = True

    def leave_minibatch(self) -> None:
        """Count the minibatch in progress, if there is one."""
        if self.in_minibatch:
            self.advance()

    def advance(self) -> None:
        """Count a minibatch."""
        self._history.minibatch_end(self._clock)
        self._clock.minibatch += 1
        self._clock.step += 1
        self.in_minibatch = False

    def end_epoch(self) -> None:
        """Leave the epoch in progress."""
        self.in_epoch = self.in_minibatch = False

    def state_dict(self) -> dict[str, bool]:
        """Flags that a resumed training needs."""
        return {"in_epoch": self.in_epoch, "began": self.began}

    def load_state_dict(self, state: Mapping[str, bool]) -> None:
        """Take the result of `state_dict`."""
        self.in_epoch, self.began = state.get("in_epoch", False), state.get("began", False)
        self.continuing, self.in_minibatch = self.in_epoch, False

    def check(self, callback: str, epoch: int) -> None:
        """CompressionError for a callback outside of its epoch."""
        if not self.in_epoch:
            raise CompressionError(f"expected on_epoch_begin({epoch}) before {callback}, found no epoch begun")
        if epoch != self._clock.epoch:
            raise CompressionError(f"expected epoch {self._clock.epoch} in {callback}, found {epoch}")

    def _check_epoch(self, epoch: int) -> None:
        last = self._clock.epoch
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
            raise CompressionError(f"expected the number of an epoch, from 0 on, found {epoch!r}")
        if self.in_epoch:
            raise CompressionError(
                f"expected on_epoch_end({last}) before on_epoch_begin({epoch}), found epoch {last} open"
            )
        if self.began and epoch != last + 1:
            again = " again" if epoch <= last else ""
            raise CompressionError(f"expected epoch {last + 1} after epoch {last}, found {epoch}{again}")
