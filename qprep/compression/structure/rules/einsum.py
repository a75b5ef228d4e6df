"""Einstein sums: each letter is a dimension; where it occurs in several operands, their channels go together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from qprep.compression.structure.labels import core, spread, varying
from qprep.compression.structure.rules.layer import column, read_axis
from qprep.compression.structure.rules.mix import mix
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.compression.structure.store import DimensionRole

_FORM: Final = re.compile(r"([a-zA-Z,]+)(?:->([a-zA-Z]*))?")


def einsum(state: LabelState, step: LabelStep) -> None:
    """Letters that fold away have to be 0 where they are masked; a weight makes those that no other operand has."""
    terms, result = _parsed(step.args[0])
    operands, out = _operands(step), step.outputs[0]
    if not terms or len(terms) != len(operands) or any(len(set(each)) < len(each) for each in (*terms, result)):
        mix(state, step)
        return
    made: dict[str, Tensor] = {}
    for letter in dict.fromkeys("".join(terms)):
        holders = [(each, term.index(letter)) for each, term in zip(operands, terms, strict=True) if letter in term]
        made[letter] = _joined(state, holders, folds=letter not in result)
    _freeze_others(state, operands)
    _count(state, terms, operands, out)
    state.set(out, tuple(spread(made[letter], out.shape, dim) for dim, letter in enumerate(result)))


def _parsed(equation: object) -> tuple[list[str], str]:
    """The letters of each operand and of the result; none for a form with dots or of another kind."""
    match = _FORM.fullmatch(equation.replace(" ", "")) if isinstance(equation, str) else None
    if match is None:
        return [], ""
    terms = match[1].split(",")
    letters = "".join(terms)
    implied = "".join(sorted(each for each in set(letters) if letters.count(each) == 1))
    return terms, implied if match[2] is None else match[2]


def _operands(step: LabelStep) -> Sequence[Tensor]:
    given = step.args[1:]
    listed = given[0] if len(given) == 1 and isinstance(given[0], (list, tuple)) else given
    return [each for each in listed if isinstance(each, Tensor)]


def _joined(state: LabelState, holders: Sequence[tuple[Tensor, int]], *, folds: bool) -> Tensor:
    """The labels of a letter: together in all operands; 0 on masking where one factor is."""
    weights = [(tensor, dim) for tensor, dim in holders if state.is_raw(tensor)]
    sources = [(tensor, dim) for tensor, dim in holders if not state.is_raw(tensor)]
    read = [read_axis(state, *each) if folds else _axis(state, *each) for each in sources]
    own = [column(state, *each) for each in weights]
    found = [*read, *own]
    for each in found[1:]:
        state.store.merge(found[0], each, state.cause("einsum joins them with a tensor whose width is fixed"))
    for each in own:
        state.mark(each, _role(folds=folds, alone=not sources))
    if folds or not found:
        return found[0] if found else torch.zeros(0, dtype=torch.int64)
    clean = torch.stack([each > 0 for each in found]).any(0)
    return torch.where(clean, found[0].abs(), -found[0].abs())


def _role(*, folds: bool, alone: bool) -> DimensionRole:
    """A weight reads a letter that folds away, makes one that it alone has, and scales the others."""
    if folds:
        return DimensionRole.READS
    return DimensionRole.MAKES if alone else DimensionRole.SCALES


def _axis(state: LabelState, source: Tensor, dim: int) -> Tensor:
    for layer in state.layers(source):
        if dim in varying(layer):
            return state.axis(layer, dim, "einsum takes a part of them together")
    return torch.zeros(source.shape[dim], dtype=torch.int64)


def _freeze_others(state: LabelState, operands: Sequence[Tensor]) -> None:
    """Layers over several dimensions at once are in no letter."""
    for tensor in operands:
        several = [layer for layer in state.layers(tensor) if len(varying(layer)) > 1]
        state.store.freeze([core(layer) for layer in several], state.cause("einsum runs over them"))


def _count(state: LabelState, terms: Sequence[str], operands: Sequence[Tensor], out: Tensor) -> None:
    sizes: Mapping[str, int] = {
        letter: size
        for term, tensor in zip(terms, operands, strict=True)
        for letter, size in zip(term, tensor.shape, strict=True)
    }
    weight = next((each for each in operands if state.name_of(each) is not None), operands[-1])
    source = next((each for each in operands if each is not weight), weight)
    total = 1
    for size in sizes.values():
        total *= size
    state.count(weight, total / max(weight.numel(), 1), source, out)
