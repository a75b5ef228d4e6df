"""A policy and the times at which it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qprep.compression.build import Locate
from qprep.compression.errors import ScheduleError
from qprep.compression.policy import Policy
from qprep.compression.windows import TrainingClock, Window
from qprep.foundation.errors import QprepError


@dataclass(frozen=True, slots=True)
class ScheduledPolicy:
    """A policy and when it runs.

    locate  from the sentence of an error to file, line and key, for policies of a schedule file
    """

    policy: Policy
    window: Window
    locate: Locate | None = None

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Errors of the policy with file, line and key, where it comes from a file."""
        try:
            yield
        except ScheduleError:
            raise
        except QprepError as error:
            if self.locate is None:
                raise
            raise ScheduleError(f"{self.locate(str(error))}: {error}") from error

    def is_active(self, clock: TrainingClock) -> bool:
        """True if the policy runs now."""
        with self.blamed():
            return self.window.is_active(clock)
