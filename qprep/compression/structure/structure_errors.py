"""Errors of users who change the structure of a model."""

from __future__ import annotations

from qprep.foundation.errors import QprepError


class StructureError(QprepError):
    """The message says what was expected of a model or of a removal, what was found and where."""


class ThinningError(StructureError):
    """The thin model would not compute what the masked one computes; nothing was changed.

    module  the path of the first module whose output differs, or in which the thin model failed
    """

    def __init__(self, sentence: str, module: str = "") -> None:
        super().__init__(sentence)
        self.module = module
