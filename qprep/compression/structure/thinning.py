"""Thinning: masked channels are removed, after the thin model has shown that it computes the same."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qprep.compression.structure.constants import folded
from qprep.compression.structure.cutting import cut, cut_all, kept_of, tensors_of
from qprep.compression.structure.gate import ModelArguments, compared, doubled
from qprep.compression.structure.model import Family, Groups
from qprep.compression.structure.optimizer import cut_state
from qprep.compression.structure.record import Record, commit, made
from qprep.compression.structure.structure_errors import ThinningError

Masks = MutableMapping[nn.Parameter, Tensor]


def thinned(
    found: Groups,
    arguments: ModelArguments,
    optimizers: Sequence[Optimizer],
    masks: Masks | None,
    *,
    fold_constants: bool = False,
) -> Record:
    """Remove what is masked; ThinningError, and nothing changed, where the model would compute something else."""
    model, masks = found.model, {} if masks is None else masks
    owners = dict(model.named_parameters())
    tensors = _effective(tensors_of(model), owners, masks)
    zero = {name: _zero_rows(tensors, name) for name in _makers(found)}
    asked = {name for name, owner in owners.items() if owner in masks} if masks else set(owners)
    removal = {each.name: gone for each in found.families if (gone := _gone(each, zero, asked))}
    kept = kept_of(tensors, found.cuts(removal))
    changed = folded(found, removal, tensors, arguments) if fold_constants and removal else {}
    _pass(found, removal, tensors, arguments, changed)
    by_parameter: dict[Tensor, Mapping[int, Tensor]] = {
        owners[name]: positions for name, positions in kept.items() if name in owners
    }
    put_states = [cut_state(each, by_parameter) for each in optimizers]
    thin_masks = {each: cut(mask, by_parameter[each]) for each, mask in masks.items() if each in by_parameter}
    widths = found.widths(removal)
    record = made(tensors, kept, widths, _notes(found, tensors, asked))
    whole = {**tensors_of(model), **changed}
    thin = {**changed, **cut_all(whole, kept)}
    for put_state in put_states:
        put_state()
    commit(model, thin, widths)
    masks.update(thin_masks)
    return record


def _pass(
    found: Groups,
    removal: Mapping[str, list[int]],
    tensors: Mapping[str, Tensor],
    arguments: ModelArguments,
    changed: Mapping[str, Tensor],
) -> None:
    """Run the gate, with twice the batch as well where the model takes that."""
    for each in (arguments, doubled(found, tensors, arguments)):
        why = None if each is None or not removal else compared(found, removal, tensors, each, changed)
        if why is not None:
            raise ThinningError(f"the thin model would not compute what the masked one does: {why}", why.module)


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


def _gone(family: Family, zero: Mapping[tuple[str, int], Tensor], asked: set[str]) -> list[int]:
    """The groups of which all weights that make them are 0, one of `asked` among them."""
    makers = [slot for slot in family.slots if slot.makes]
    if not any(slot.tensor in asked for slot in makers):
        return []
    gone = torch.ones(family.size, dtype=torch.bool)
    for slot in makers:
        gone &= zero[slot.tensor, slot.dim][slot.index].all(1)
    return gone.nonzero().flatten().tolist()


def _notes(found: Groups, tensors: Mapping[str, Tensor], asked: set[str]) -> tuple[str, ...]:
    """One sentence for each weight with masked channels that had to stay."""
    notes = []
    for each in found.frozen:
        if each.weight in asked:
            zero = int(_zero_rows(tensors, (each.weight, 0)).sum())
            if zero:
                notes.append(f"masked channels of {each.weight} ({zero}) stay: {each.explanation}")
    return tuple(dict.fromkeys(notes))
