"""From a run to the families of channels that can be removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from qprep.compression.structure.follow import Follower, following
from qprep.compression.structure.labels import unique
from qprep.compression.structure.model import Family, Frozen, Groups, Product, Slot, Width
from qprep.compression.structure.running import evaluating
from qprep.compression.structure.state import LabelState
from qprep.compression.structure.store import Block, BlockKind, Cause, DimensionRole, LabelStore
from qprep.compression.structure.structure_errors import StructureError
from qprep.quantizer.graph.tensor_leaves import tensors_in


def traced(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Groups:
    """Run `model` once and find its families; again in training mode if some of its layers did not run."""
    state = _run(model, args, kwargs)
    if state.idle():
        _run_in_training(model, state, args, kwargs)
    return _found(model, state)


def counted(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Product, ...]:
    """Run `model` once and return the products of its layers, call by call."""
    return tuple(_run(model, args, kwargs).products)


def _run(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> LabelState:
    state = LabelState(model)
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


def _run_in_training(model: nn.Module, state: LabelState, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Add to the labels what runs in training mode alone, such as heads of a further loss."""
    calls, products = len(state.calls), len(state.products)
    idle = len(state.idle())
    with suppress(Exception), evaluating(model), following(state, model), Follower(state):
        model.train()
        out = model(*args, **kwargs)
        for tensor in tensors_in(out):
            state.store.freeze(state.layers(tensor), Cause("they are an output of the model"))
    state.open.clear()
    del state.calls[calls:], state.products[products:]
    state.more_in_training = len(state.idle()) < idle


def _freeze_unknown(model: nn.Module, store: LabelStore, idle: Mapping[str, Tensor]) -> None:
    """Freeze dimensions that layers which did not run may read or add to: those of their sizes.

    Where a matrix reads more than any dimension has, it may read several positions of each channel: what divides its
    size is frozen, unless another layer that did not run has that many outputs.
    """
    sizes = {block.size for block in store.blocks}
    outputs = {each.shape[0] for each in idle.values() if each.dim() > 1}
    for name, tensor in idle.items():
        owner = model.get_submodule(name.rpartition(".")[0])
        shape = set(tensor.shape[:2] if isinstance(owner, _ConvNd) else tensor.shape) - {1}
        wanted = shape & sizes
        if tensor.dim() == 2 and not {tensor.shape[1]} & (sizes | outputs):
            wanted |= {each for each in sizes if tensor.shape[1] % each == 0}
        cause = Cause(f"{name}, which did not run on the example inputs, may read them or add to them")
        store.freeze((each.labels for each in store.blocks if each.size in wanted), cause)


def _found(model: nn.Module, state: LabelState) -> Groups:
    store = state.store
    _freeze_unknown(model, store, state.idle())
    root = store.components()
    causes = _causes(store, root)
    roles = store.roles()
    made = [
        block
        for block, role in zip(store.blocks, roles, strict=True)
        if DimensionRole.MAKES in role and block.kind is BlockKind.PARAMETER
    ]
    wanted = unique(torch.cat([root[block.labels] for block in made])).tolist() if made else []
    nodes = _GroupedBlocks(store, root)
    families: dict[bytes, list[int]] = {}
    for group in wanted:
        if group not in causes:
            families.setdefault(nodes.signature(group), []).append(group)
    alone = {groups[0]: Cause("there is only one group of them") for groups in families.values() if len(groups) == 1}
    kept = sorted((groups for groups in families.values() if len(groups) > 1), key=lambda groups: groups[0])
    built = _named([_family(store, roles, nodes, groups) for groups in kept])
    frozen = _frozen(made, root, {**causes, **alone})
    labels = {family.name: torch.tensor(groups) for family, groups in zip(built, kept, strict=True)}
    shapes = {name: tuple(each.shape) for name, each in model.named_parameters()}
    return Groups(
        *(model, tuple(built), tuple(frozen), tuple(state.products), tuple(state.calls), root, labels, shapes),
        more_in_training=state.more_in_training,
    )


def _causes(store: LabelStore, root: Tensor) -> dict[int, Cause]:
    """By group, why it stays: the first reason there was."""
    causes: dict[int, Cause] = {}
    for labels, cause in store.frozen:
        for group in unique(root[labels]).tolist():
            causes.setdefault(group, cause)
    return causes


class _GroupedBlocks:
    """The positions of all blocks, sorted by their group: each group is one stretch, with its blocks in order."""

    def __init__(self, store: LabelStore, root: Tensor) -> None:
        sizes = torch.tensor([block.size for block in store.blocks], dtype=torch.int64)
        starts = torch.tensor([block.start for block in store.blocks], dtype=torch.int64)
        order = torch.argsort(root[1:], stable=True)
        self.blocks = torch.repeat_interleave(torch.arange(len(sizes)), sizes)[order]
        self.places = order + 1 - starts[self.blocks]
        groups, counts = torch.unique_consecutive(root[1:][order], return_counts=True)
        ends = counts.cumsum(0)
        self._stretch = dict(
            zip(groups.tolist(), zip((ends - counts).tolist(), ends.tolist(), strict=True), strict=True)
        )

    def signature(self, group: int) -> bytes:
        """The blocks of its members, the same of two groups exactly where they touch the same dimensions alike."""
        start, end = self._stretch[group]
        return self.blocks[start:end].numpy().tobytes()

    def members(self, groups: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The blocks of groups of one signature, and their positions there, shape (groups, blocks)."""
        start, end = self._stretch[groups[0]]
        starts = torch.tensor([self._stretch[group][0] for group in groups])
        return self.blocks[start:end], self.places[starts[:, None] + torch.arange(end - start)]


def _family(store: LabelStore, roles: Sequence[DimensionRole], nodes: _GroupedBlocks, groups: Sequence[int]) -> Family:
    blocks, places = nodes.members(groups)
    numbers, counts = torch.unique_consecutive(blocks, return_counts=True)
    parts = torch.split(places, counts.tolist(), dim=1)
    slots, widths = [], []
    for number, index in zip(numbers.tolist(), parts, strict=True):
        block = store.blocks[number]
        if block.kind is BlockKind.ATTRIBUTE:
            module, _, attribute = block.name.rpartition(":")
            widths.append(Width(module, attribute, index))
        else:
            slots.append(_slot(block, roles[number], index))
    name = next(slot.tensor for slot in slots if slot.makes)
    return Family(name, len(groups), tuple(slots), tuple(widths))


def _slot(block: Block, role: DimensionRole, index: Tensor) -> Slot:
    is_parameter = block.kind is BlockKind.PARAMETER
    masked = is_parameter and bool(role & (DimensionRole.MAKES | DimensionRole.SCALES))
    makes = is_parameter and DimensionRole.MAKES in role
    carries = makes and DimensionRole.CARRIES in role
    return Slot(
        *(block.name, block.dim, index, masked, makes, carries),
        reads=is_parameter and DimensionRole.READS in role,
        multiplies=is_parameter and DimensionRole.MULTIPLIES in role,
    )


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
