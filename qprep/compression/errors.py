"""Errors of users of the compression scheduler."""

from __future__ import annotations

from qprep.foundation.errors import QprepError


class CompressionError(QprepError):
    """A value, a model or a training loop that a policy cannot work with."""


class ScheduleError(CompressionError):
    """A schedule file that is wrong; the sentence begins with file, line and key."""
