"""The groups of channels that a thinning removes: those that are masked, or what can go of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from qprep.compression.structure.cutting import emptied_by
from qprep.compression.structure.model import Groups
from qprep.compression.structure.structure_errors import ThinningError

_Removal = dict[str, list[int]]
Values = Mapping[str, Tensor]  # by name, what replaces the constants of channels that go


def masked_groups(found: Groups, zero: Mapping[tuple[str, int], Tensor], asked: set[str]) -> _Removal:
    """By family, the groups of which all weights that make them are 0, one of `asked` among them.

    zero  by (tensor, dim) of what makes channels, booleans: True where all is 0 at a position
    """
    removal: _Removal = {}
    for family in found.families:
        makers = [slot for slot in family.slots if slot.makes]
        if any(slot.tensor in asked for slot in makers):
            gone = zero[makers[0].tensor, makers[0].dim][makers[0].index].all(1)
            for slot in makers[1:]:
                gone = gone & zero[slot.tensor, slot.dim][slot.index].all(1)
            if bool(gone.any()):
                removal[family.name] = gone.nonzero().flatten().tolist()
    return removal


def spared(found: Groups, removal: _Removal, tensors: Mapping[str, Tensor]) -> tuple[_Removal, dict[str, str]]:
    """`removal` with one group less wherever a dimension would lose all its channels, and a sentence by family."""
    left, notes = dict(removal), dict[str, str]()
    while emptied := emptied_by(tensors, found.cuts(left)):
        place = emptied[0]
        touched = (each for each in found.families if place in {(slot.tensor, slot.dim) for slot in each.slots})
        family = next(each for each in touched if left.get(each.name))
        notes[family.name] = f"all {family.size} channels of {family.name} are masked: one stays, masked"
        left[family.name] = left[family.name][1:]
    return {name: numbers for name, numbers in left.items() if numbers}, notes


def possible(
    removal: _Removal, must: _Removal, check: Callable[[_Removal], Values]
) -> tuple[_Removal, Values, dict[str, str]]:
    """Parts of `removal` that can go, in any case `must`; the result of their check; a sentence by family on the rest.

    check  raises ThinningError where the model would compute something else

    Raises ThinningError where `must` alone cannot go.
    """
    try:
        return removal, check(removal), {}
    except ThinningError:
        if must == removal:
            raise
    taken, values, notes = must, check(must), dict[str, str]()
    for name, numbers in removal.items():
        trial = {**taken, name: numbers}
        if trial != taken:
            try:
                taken, values = trial, check(trial)
            except ThinningError as error:
                where = f" in {error.module}" if error.module else ""
                notes[name] = (
                    f"{len(numbers) - len(must.get(name, ()))} channels of {name} stay: their weights are 0, but the "
                    f"model would compute something else without them{where}"
                )
    return taken, values, notes
