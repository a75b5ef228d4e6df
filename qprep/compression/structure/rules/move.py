"""Operations that only move values: they move the labels themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from qprep.compression.structure.labels import Layers, compact, core, distinct, varying
from qprep.compression.structure.rules.mix import mix
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.quantizer.graph.tensor_leaves import tensors_in

# They regroup elements in order: an axis of channels can become two.
_REGROUPING: Final = frozenset(("view", "reshape", "view_as", "reshape_as", "unflatten", "rearrange"))


def move(state: LabelState, step: LabelStep) -> None:
    """Labels take the way of the values.

    Channels stay where a part of them is taken by position. Where their axis is cut into parts, or becomes several
    axes, the same place in every part goes together, so that the sizes in the source still divide them.
    """
    inputs, outputs = step.inputs, step.outputs
    found = [state.layers(each) for each in inputs]
    if not outputs or not any(found):
        return
    moved = [_move(step, index, inputs, found) for index in range(max(map(len, found)))]
    if _chooses(inputs, found) or any(len(each or ()) != len(outputs) for each in moved):
        mix(state, step)
        return
    raw = all(state.is_raw(each) for each in inputs)
    for index, labels in enumerate(moved):
        before = [layers[index] for layers in found if index < len(layers)]
        _check(state, step, before, labels or [])
    for number, output in enumerate(outputs):
        layers = tuple(labels[number] for labels in moved if labels is not None)
        source = inputs[0] if len(inputs) == 1 and inputs[0].numel() == output.numel() else None
        fits = all(each.shape == output.shape for each in layers)
        state.set(output, layers if fits else (), raw=raw, source=source)


def _move(step: LabelStep, index: int, inputs: Sequence[Tensor], found: Sequence[Layers]) -> list[Tensor] | None:
    """The layers that the operation makes of the `index`-th layer of each input; None if it takes no labels."""
    values = [_label(tensor, layers, index) for tensor, layers in zip(inputs, found, strict=True)]
    for dtype in (torch.int64, torch.float64):  # a few operations do not take integers; the labels fit both
        counter = iter(values)
        args, kwargs = pytree.tree_map(
            lambda leaf, counter=counter, dtype=dtype: (
                _cast(next(counter), dtype) if isinstance(leaf, Tensor) else leaf
            ),
            (step.args, step.kwargs),
        )
        try:
            outs = step.function(*args, **kwargs)
        except (RuntimeError, NotImplementedError, TypeError):
            continue
        return [compact(each.cpu().to(torch.int64)) for each in tensors_in(outs)]
    return None


def _label(tensor: Tensor, layers: Layers, index: int) -> Tensor:
    if index < len(layers):
        return layers[index].clone() if tensor.dim() == 0 else layers[index]
    if tensor.is_floating_point() or tensor.is_complex() or layers:
        return torch.zeros((), dtype=torch.int64).expand(tensor.shape)
    return tensor.cpu()


def _cast(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.dtype is torch.int64 and dtype is not torch.int64 else value


def _chooses(inputs: Sequence[Tensor], found: Sequence[Layers]) -> bool:
    """True if values decide what goes where: an index that is in channels itself."""
    moved = inputs[0].dtype
    return any(layers and tensor.dtype is not moved for tensor, layers in zip(inputs, found, strict=True))


def _check(state: LabelState, step: LabelStep, before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
    name = step.call.name
    if len(distinct(before)) != len(distinct(after)):
        state.store.freeze((*before, *after), state.cause(f"{name} takes a part of them by position"))
        return
    if len(after) > 1:
        _tie_parts(state, name, after)
    if name in _REGROUPING and len(before) == 1:
        _tie_axes(state, name, before[0], after[0])
    groups: Any = step.get("groups")
    if isinstance(groups, int) and before and after:
        _tie_groups(state, name, before[0], groups)


def _tie_parts(state: LabelState, name: str, parts: Sequence[Tensor]) -> None:
    """Of what is cut into parts along channels."""
    first = parts[0]
    if all(part.shape == first.shape and torch.equal(core(part), core(first)) for part in parts[1:]):
        return  # cut along another axis
    cause = state.cause(f"{name} cuts them into parts of different sizes")
    if any(core(part).shape != core(first).shape for part in parts):
        state.store.freeze(parts, cause)
        return
    for part in parts[1:]:
        state.store.merge(core(first), core(part), cause)


def _tie_axes(state: LabelState, name: str, before: Tensor, after: Tensor) -> None:
    dims = varying(after)
    if len(dims) < 2 or len(varying(before)) >= len(dims):
        return
    small = core(after)
    last = small.movedim(dims[-1], 0).reshape(small.shape[dims[-1]], -1)
    state.store.merge(last[:, :1], last, state.cause(f"{name} gives a part of them no channel"))


def _tie_groups(state: LabelState, name: str, before: Tensor, groups: int) -> None:
    vector = state.axis(before, 1, name)
    if len(vector) % groups == 0:
        table = vector.reshape(groups, -1)
        state.store.merge(table[:1], table, state.cause(f"{name} gives a part of them no channel"))
