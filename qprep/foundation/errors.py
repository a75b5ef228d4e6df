"""Errors that a user can cause; anything else is a bug and propagates."""

from __future__ import annotations


class QprepError(Exception):
    """A sentence that says what was expected, what was found and where."""


class PluginError(QprepError):
    """A fault of a plugin; the sentence begins with its name."""
