"""The types that a rewrite is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qprep.foundation.findings import Applicability, Rejection
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope

Outcome = tuple[Piece, ...] | Rejection


@dataclass(frozen=True, slots=True)
class Codemod:
    """A rewrite with further examples to those of its rule: (before, after) sources that compute the same."""

    stem: str
    rewrites: tuple[tuple[str, str], ...]
    rewrite: Callable[[Scope, Any], Outcome]  # Any: the fact that the rule of this stem reports
    applicability: Applicability = Applicability.SAFE
