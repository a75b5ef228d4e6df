"""From a run to the families of channels that can be removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from qprep.compression.structure.errors import StructureError
from qprep.compression.structure.follow import Follower, following
from qprep.compression.structure.labels import unique
from qprep.compression.structure.model import Family, Frozen, Groups, Product, Slot, Width
from qprep.compression.structure.running import evaluating
from qprep.compression.structure.state import State
from qprep.compression.structure.store import Block, Cause, Kind, Role, Store
from qprep.quantizer.graph.tensor_leaves import tensors_in


def traced(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Groups:
    """Run `model` once and find its families."""
    state = _run(model, args, kwargs)
    return _found(model, state)


def counted(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Product, ...]:
    """Run `model` once and return the products of its layers, call by call."""
    return tuple(_run(model, args, kwargs).products)


def _run(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> State:
    state = State(model)
    try:
        with evaluating(model), following(state, model), Follower(state):
            out = model(*args, **kwargs)
    except Exception as error:
        text = " ".join(str(error).split())
        where = f" in {state.failed_in}" if state.failed_in else ""
        raise StructureError(
            f"expected {type(model).__name__} to run on the example inputs, found {type(error).__name__}{where}: {text}"
        ) from error
    for tensor in tensors_in(out):
        state.store.freeze(state.layers(tensor), Cause("they are an output of the model"))
    return state


def _found(model: nn.Module, state: State) -> Groups:
    store = state.store
    root = store.components()
    causes = _causes(store, root)
    nodes = _nodes(store, root)
    made = [block for block in store.blocks if Role.MAKES in block.role and block.kind is Kind.PARAMETER]
    wanted = unique(torch.cat([root[block.labels] for block in made])).tolist() if made else []
    families: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for group in wanted:
        if group not in causes:
            families.setdefault(tuple(sorted(Counter(nodes[group][0]).items())), []).append(group)
    alone = {groups[0]: Cause("there is only one group of them") for groups in families.values() if len(groups) == 1}
    kept = sorted((groups for groups in families.values() if len(groups) > 1), key=lambda groups: groups[0])
    built = _named([_family(store, nodes, groups) for groups in kept])
    frozen = _frozen(made, root, {**causes, **alone})
    labels = {family.name: torch.tensor(groups) for family, groups in zip(built, kept, strict=True)}
    shapes = {name: tuple(each.shape) for name, each in model.named_parameters()}
    return Groups(model, tuple(built), tuple(frozen), tuple(state.products), tuple(state.calls), root, labels, shapes)


def _causes(store: Store, root: Tensor) -> dict[int, Cause]:
    """By group, why it stays: the first reason there was."""
    causes: dict[int, Cause] = {}
    for labels, cause in store.frozen:
        for group in unique(root[labels]).tolist():
            causes.setdefault(group, cause)
    return causes


def _nodes(store: Store, root: Tensor) -> dict[int, tuple[list[int], list[int]]]:
    """By group, the numbers of the blocks of its members, and their positions."""
    if not store.blocks:
        return {}
    blocks = torch.cat([torch.full((block.size,), number) for number, block in enumerate(store.blocks)])
    places = torch.cat([torch.arange(block.size) for block in store.blocks])
    order = torch.argsort(root[1:], stable=True)
    groups, counts = torch.unique_consecutive(root[1:][order], return_counts=True)
    all_blocks, all_places = blocks[order].tolist(), places[order].tolist()
    found, start = {}, 0
    for group, count in zip(groups.tolist(), counts.tolist(), strict=True):
        found[group] = (all_blocks[start : start + count], all_places[start : start + count])
        start += count
    return found


def _family(store: Store, nodes: Mapping[int, tuple[list[int], list[int]]], groups: Sequence[int]) -> Family:
    places: dict[int, list[list[int]]] = {}
    for group in groups:
        here: dict[int, list[int]] = {}
        for held, place in zip(*nodes[group], strict=True):
            here.setdefault(held, []).append(place)
        for held, positions in here.items():
            places.setdefault(held, []).append(positions)
    slots, widths = [], []
    for number, rows in sorted(places.items()):
        block, index = store.blocks[number], torch.tensor(rows)
        if block.kind is Kind.ATTRIBUTE:
            module, _, attribute = block.name.rpartition(":")
            widths.append(Width(module, attribute, index))
        else:
            slots.append(_slot(block, index))
    name = next(slot.tensor for slot in slots if slot.makes)
    return Family(name, len(groups), tuple(slots), tuple(widths))


def _slot(block: Block, index: Tensor) -> Slot:
    is_parameter = block.kind is Kind.PARAMETER
    masked = is_parameter and bool(block.role & (Role.MAKES | Role.SCALES))
    return Slot(block.name, block.dim, index, masked, is_parameter and Role.MAKES in block.role)


def _named(families: Sequence[Family]) -> list[Family]:
    """Each with a name of its own: of several that the same weight makes, later ones have a number behind it."""
    seen: Counter[str] = Counter()
    named = []
    for family in families:
        seen[family.name] += 1
        number = seen[family.name]
        name = family.name if number == 1 else f"{family.name} ({number})"
        named.append(Family(name, family.size, family.slots, family.widths))
    return named


def _frozen(made: Sequence[Block], root: Tensor, causes: Mapping[int, Cause]) -> list[Frozen]:
    counts: Counter[tuple[str, Cause]] = Counter()
    for block in made:
        for group in root[block.labels].tolist():
            if group in causes:
                counts[block.name, causes[group]] += 1
    return [Frozen(name, count, cause.reason, cause.module, cause.place) for (name, cause), count in counts.items()]
