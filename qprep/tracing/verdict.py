"""The result of a verification: plain data, readable without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qprep.tracing.failure import TraceFailure


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The tolerance for sums in another order: |a - b| ≤ absolute + relative · |a|, a the original."""

    relative: float
    absolute: float


EXACT: Final = Tolerance(relative=0.0, absolute=0.0)
COMPOUND: Final = Tolerance(relative=1e-4, absolute=1e-5)


@dataclass(frozen=True, slots=True)
class RewriteDifference:
    """A difference after a rewrite: the aspect ("eval", "state_dict"), the tensor by name, and a sentence."""

    aspect: str
    tensor: str
    detail: str

    def __str__(self) -> str:
        return f"{self.aspect}: {self.tensor}: {self.detail}" if self.tensor else f"{self.aspect}: {self.detail}"


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of comparing one model.

    tensors     how many were equal, before the difference if there is one
    difference  the first that differs
    failure     why nothing could be compared: the original does not run, or is not the same when run twice
    notes       what was compared less strictly, or not at all, and why
    """

    target: str
    tensors: int = 0
    difference: RewriteDifference | None = None
    failure: TraceFailure | None = None
    notes: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """True if everything was compared and nothing differs."""
        return self.difference is None and self.failure is None

    def __str__(self) -> str:
        if self.failure is not None:
            return f"not verified: {self.failure}"
        if self.difference is not None:
            return f"not verified: {self.target} differs: {self.difference}"
        return "\n".join([f"verified: 1 model, {self.tensors} tensors equal", *self.notes])
