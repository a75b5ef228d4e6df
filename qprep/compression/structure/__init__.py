"""The channels of a model: which can be removed together, which to remove, and removing them.

found = groups(model, images)                            # families of channels, notes on what is frozen and why
removal = choose(scores(found, "l1"), 0.5)               # which go, by family
masks = found.masks(removal)                             # by parameter name, False where a channel goes
record = thin(model, (images,), optimizer=optimizer)     # really removes channels whose weights are all 0
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from qprep.compression.structure.errors import StructureError, ThinningError
from qprep.compression.structure.model import Family, Frozen, Groups, Removal, Slot

__all__ = [
    "Family",
    "Frozen",
    "Groups",
    "Record",
    "Removal",
    "Slot",
    "StructureError",
    "ThinningError",
    "choose",
    "choose_macs",
    "groups",
    "macs",
    "scores",
    "thin",
]

Record = dict[str, Any]  # plain data: text, numbers, lists and dicts; torch.load reads it with weights_only=True
Inputs = Tensor | Sequence[Any] | Mapping[str, Any]  # one input, the positional ones, or those by keyword


def groups(model: nn.Module, *example_inputs: Any, verify: bool = True) -> Groups:  # noqa: ANN401
    """The channels of `model` that can be removed together, found by one run on `example_inputs`.

    The model runs in evaluation mode and is left as it was. With `verify`, one group of each family is removed on
    trial: a family that does not survive this (a width is a constant of the source) is frozen with a note.

    Raises StructureError where the model does not run, or is wrapped for distributed training.
    """
    raise NotImplementedError


def thin(
    model: nn.Module,
    example_inputs: Inputs | Record,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    masks: MutableMapping[nn.Parameter, Tensor] | None = None,
    found: Groups | None = None,
) -> Record:
    """Remove the channels of `model` that are masked, and return the record of what was removed.

    A channel goes where all weights that compute it are 0 under `masks` (by parameter; without masks: as they are).
    The masked and the thin model run on the example inputs first: where they differ by more than 1e-5 of the largest
    output, nothing changes and ThinningError names the first module that differs. Parameters and buffers keep their
    identity (`data` is replaced), gradients are dropped, `masks` and the state of `optimizer` are cut alike. What was
    masked and had to stay is in record["notes"]. A record in place of example inputs is applied to a fresh model
    without a run, so that it loads the thin model's state_dict.

    found  what `groups` returned for this model as it is now, to save its run
    """
    raise NotImplementedError


def macs(model: nn.Module, *example_inputs: Any) -> int:  # noqa: ANN401
    """Multiply-accumulates of one run: convolutions, linear layers and products of matrices."""
    raise NotImplementedError


def scores(found: Groups, norm: str = "l1") -> dict[str, Tensor]:
    """By family, the mean norm of each group over the weights that compute its channels, shape (size,)."""
    raise NotImplementedError


def choose(
    scores: Mapping[str, Tensor],
    share: float,
    *,
    scope: str = "family",
    keep_at_least: int = 1,
    round_to: int = 1,
) -> dict[str, list[int]]:
    """The groups with the lowest scores: `share` of each family, or of all together with scope "global".

    keep_at_least  groups of a family that stay in any case
    round_to       what stays of a family is a multiple of it (rounded up), where the family has that many
    """
    raise NotImplementedError


def choose_macs(
    found: Groups,
    scores: Mapping[str, Tensor],
    share: float,
    *,
    keep_at_least: int = 1,
    round_to: int = 1,
) -> dict[str, list[int]]:
    """The groups below one threshold, found by bisection, that takes at least `share` of the multiply-accumulates."""
    raise NotImplementedError
