"""Families proven on trial: masked and thin models run, and families that make them differ are frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from qprep.compression.structure.cutting import tensors_of
from qprep.compression.structure.gate import ModelArguments, ThinDifference, compared
from qprep.compression.structure.model import Family, Frozen, Groups, Removal
from qprep.quantizer.graph.tensor_leaves import map_tensors


def verified(found: Groups, arguments: ModelArguments) -> Groups:
    """Without the families that do not survive the removal of one group."""
    failed: dict[str, ThinDifference] = {}
    _search(found, found.families, arguments, failed)
    kept = [family for family in found.families if family.name not in failed]
    while failed and kept and (why := _tried(found, kept, arguments)) is not None:  # each alone, but not together
        failed[kept.pop().name] = why
    frozen = [_frozen(each, failed[each.name]) for each in found.families if each.name in failed]
    return replace(found, families=tuple(kept), frozen=(*found.frozen, *frozen))


def _search(
    found: Groups, families: Sequence[Family], arguments: ModelArguments, failed: dict[str, ThinDifference]
) -> None:
    """Halve until the families that fail are alone."""
    why = _tried(found, families, arguments)
    if why is None:
        return
    if len(families) == 1:
        failed[families[0].name] = why
        return
    middle = len(families) // 2
    _search(found, families[:middle], arguments, failed)
    _search(found, families[middle:], arguments, failed)


def _tried(found: Groups, families: Sequence[Family], arguments: ModelArguments) -> ThinDifference | None:
    """The differences if one group of each of `families` is removed."""
    removal = {family.name: [(family.size - 1) // 2] for family in families}
    masks = found.masks(removal)
    tensors = {
        name: each * masks[name].to(each.dtype) if name in masks else each
        for name, each in tensors_of(found.model).items()
    }
    why = compared(found, removal, tensors, arguments)
    if why is None or why.fails:
        return why
    return _in_double(found, removal, tensors, arguments, why)


def _in_double(
    found: Groups, removal: Removal, tensors: Mapping[str, Tensor], arguments: ModelArguments, why: ThinDifference
) -> ThinDifference | None:
    """The same in float64: a deep model can amplify what a narrow type rounds until nothing agrees."""
    wide = {name: _double(each) for name, each in tensors.items()}
    args, kwargs = map_tensors(lambda _, each: _double(each), (arguments.args, dict(arguments.kwargs)))
    try:
        return compared(found, removal, wide, ModelArguments(args, kwargs))
    except Exception:  # noqa: BLE001  (a model that makes tensors of its own type)
        return why


def _double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _frozen(family: Family, why: ThinDifference) -> Frozen:
    weight = next(slot.tensor for slot in family.slots if slot.makes)
    return Frozen(weight, family.size, f"without one of them {why.clause}", why.module, why.place)
