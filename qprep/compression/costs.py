"""Multiply-accumulates of the model in training, and what of its structure cannot be removed."""

from __future__ import annotations

from qprep.compression.coverage import bare
from qprep.compression.structure import groups, macs
from qprep.compression.training import Training
from qprep.foundation.errors import QprepError


class Costs:
    """Counts in one run on the example inputs, again only after modules were wrapped or channels removed."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._known: int | None = None
        training.on_change.append(self._forget)

    def now(self) -> int | None:
        """Multiply-accumulates of one run; None without example inputs, and where the model cannot be counted."""
        if self._known is None and self._training.has_example:
            args, kwargs = self._training.example
            try:
                self._known = macs(bare(self._training.model), args, kwargs)
            except QprepError as error:
                self._training.note(f"multiply-accumulates were not counted: {error}")
        return self._known

    def frozen(self) -> tuple[str, ...]:
        """A sentence for each weight whose channels cannot be removed; none without example inputs."""
        if not self._training.has_example:
            return ()
        args, kwargs = self._training.example
        try:
            return groups(bare(self._training.model), args, kwargs).notes
        except QprepError:
            return ()

    def _forget(self) -> None:
        self._known = None
