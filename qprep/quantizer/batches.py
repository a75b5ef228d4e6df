"""Runs a model on what a loader gives: tensors, tuples with labels behind, dicts of keywords."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from qprep.errors import QprepError


@dataclass(frozen=True, slots=True)
class Caller:
    """How a model is called: with how many positional inputs, and which keywords it takes (None: any)."""

    positional: int
    keywords: frozenset[str] | None

    def call(self, model: nn.Module, batch: object) -> Any:  # noqa: ANN401  (whatever the model returns)
        """Run `model` on `batch`; of a tuple what exceeds the inputs, of a dict what it does not take is left out.

        Raises QprepError for other kinds and for tuples that are too short.
        """
        if isinstance(batch, Tensor):
            return model(batch)
        if isinstance(batch, Mapping):
            takes = self.keywords
            return model(**{name: value for name, value in batch.items() if takes is None or name in takes})
        if not isinstance(batch, (tuple, list)):
            raise QprepError(f"expected batches of tensors, tuples or dicts, found {type(batch).__name__}")
        if len(batch) < max(self.positional, 1):
            raise QprepError(f"expected {max(self.positional, 1)} inputs in a batch, found {len(batch)}")
        return model(*batch[: max(self.positional, 1)])


def keywords_of(model: nn.Module) -> frozenset[str] | None:
    """The keywords that the forward of `model` takes; None where it takes any."""
    parameters = inspect.signature(model.forward).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return frozenset(each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY))
