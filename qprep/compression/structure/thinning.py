"""Thinning: masked channels are removed, after the thin model has shown that it computes the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qprep.compression.structure.constants import folded
from qprep.compression.structure.cutting import cut, cut_all, kept_of, tensors_of
from qprep.compression.structure.gate import ModelArguments, compared, doubled
from qprep.compression.structure.model import Groups, Removal
from qprep.compression.structure.optimizer import cut_state
from qprep.compression.structure.record import Record, commit, made
from qprep.compression.structure.removal import Values, masked_groups, possible, spared
from qprep.compression.structure.structure_errors import ThinningError

Masks = MutableMapping[nn.Parameter, Tensor]


def thinned(
    found: Groups,
    arguments: ModelArguments,
    optimizers: Sequence[Optimizer],
    masks: Masks | None,
    *,
    fold_constants: bool = False,
    must: Mapping[nn.Parameter, Tensor] | None = None,
) -> Record:
    """Remove what is masked; ThinningError, and nothing changed, where the model would compute something else.

    must  masks of what has to go, None for all: the other channels go where the model allows it, and one of a layer
          stays, with a note
    """
    model, masks = found.model, {} if masks is None else masks
    owners = dict(model.named_parameters())
    tensors = _effective(tensors_of(model), owners, masks)
    zero = {name: _zero_rows(tensors, name) for name in _makers(found)}
    asked = {name for name, owner in owners.items() if owner in masks} if masks else set(owners)
    removal = masked_groups(found, zero, asked)
    check = partial(_checked, found, tensors, arguments, fold_constants)
    notes: tuple[str, ...] = ()
    if must is None:
        changed = check(removal)
    else:
        removal, changed, notes = _lenient(found, removal, tensors, must, check)
    kept = kept_of(tensors, found.cuts(removal))
    by_parameter: dict[Tensor, Mapping[int, Tensor]] = {
        owners[name]: positions for name, positions in kept.items() if name in owners
    }
    put_states = [cut_state(each, by_parameter) for each in optimizers]
    thin_masks = {each: cut(mask, by_parameter[each]) for each, mask in masks.items() if each in by_parameter}
    widths = found.widths(removal)
    record = made(tensors, kept, widths, (*notes, *_notes(found, tensors, asked)))
    whole = {**tensors_of(model), **changed}
    thin = {**changed, **cut_all(whole, kept)}
    for put_state in put_states:
        put_state()
    commit(model, thin, widths)
    masks.update(thin_masks)
    return record


def _lenient(
    found: Groups,
    removal: dict[str, list[int]],
    tensors: Mapping[str, Tensor],
    must: Mapping[nn.Parameter, Tensor],
    check: Callable[[Removal], Values],
) -> tuple[dict[str, list[int]], Values, tuple[str, ...]]:
    """Groups of `removal` that can go, the result of their check, and sentences on the rest."""
    removal, single = spared(found, removal, tensors)
    owners = dict(found.model.named_parameters())
    kept = {name: must.get(each, torch.ones_like(each, dtype=torch.bool)) for name, each in owners.items()}
    zero = {(name, dim): _zero_rows({**tensors, **kept}, (name, dim)) for name, dim in _makers(found)}
    whole = masked_groups(found, zero, set(owners))
    chosen = {name: [each for each in gone if each in whole.get(name, ())] for name, gone in removal.items()}
    taken, values, staying = possible(removal, {name: each for name, each in chosen.items() if each}, check)
    return taken, values, tuple({**single, **staying}.values())


def _checked(
    found: Groups, tensors: Mapping[str, Tensor], arguments: ModelArguments, fold_constants: bool, removal: Removal
) -> Values:
    """Run the gate, with twice the batch as well where the model takes that; returns values that replace constants."""
    if not removal:
        return {}
    changed = folded(found, removal, tensors, arguments) if fold_constants else {}
    for each in (arguments, doubled(found, tensors, arguments)):
        why = None if each is None else compared(found, removal, tensors, each, changed)
        if why is not None:
            raise ThinningError(f"the thin model would not compute what the masked one does: {why}", why.module)
    return changed


def _effective(
    tensors: dict[str, Tensor], owners: Mapping[str, nn.Parameter], masks: Mapping[nn.Parameter, Tensor]
) -> dict[str, Tensor]:
    """Parameters under their masks, and buffers."""
    masked = {name: tensors[name] * masks[each].to(each.dtype) for name, each in owners.items() if each in masks}
    return {**tensors, **masked}


def _makers(found: Groups) -> set[tuple[str, int]]:
    return {(slot.tensor, slot.dim) for family in found.families for slot in family.slots if slot.makes}


def _zero_rows(tensors: Mapping[str, Tensor], maker: tuple[str, int]) -> Tensor:
    """For each position along a dimension, whether all is 0 there."""
    name, dim = maker
    return (tensors[name] == 0).movedim(dim, 0).flatten(1).all(1).cpu()


def _notes(found: Groups, tensors: Mapping[str, Tensor], asked: set[str]) -> tuple[str, ...]:
    """One sentence for each weight with masked channels that had to stay."""
    notes = []
    for each in found.frozen:
        if each.weight in asked:
            zero = int(_zero_rows(tensors, (each.weight, 0)).sum())
            if zero:
                notes.append(f"masked channels of {each.weight} ({zero}) stay: {each.explanation}")
    return tuple(dict.fromkeys(notes))
