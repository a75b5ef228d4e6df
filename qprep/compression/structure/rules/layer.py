"""Layers with weights: convolutions, linear layers, embeddings, products of matrices."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from qprep.compression.structure.labels import core, spread, spread_core, varying
from qprep.compression.structure.rules.mix import mix
from qprep.compression.structure.rules.same import unite
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.compression.structure.store import DimensionRole
from qprep.foundation.catalogue.call_signature import parse_spelling


def linear(state: LabelState, step: LabelStep) -> None:
    """Reads along the last dimension of its input and of its weight, makes along the first of its weight."""
    source, weight, bias = step.get("input"), step.get("weight"), step.get("bias")
    out = step.outputs[0]
    if weight.dim() != 2:
        mix(state, step)
        return
    state.count(weight, out.numel() / max(weight.shape[0], 1), source, out)
    last = source.dim() - 1
    labels = read(state, source, last, column(state, weight, 1))
    made = make(state, column(state, weight, 0), bias, out.shape[-1])
    _widths(state, {"in_features": labels, "out_features": made})
    carried = [spread_core(core(layer), out.shape) for layer in state.layers(source) if last not in varying(layer)]
    state.set(out, (spread(made, out.shape, out.dim() - 1), *carried))


def convolution(state: LabelState, step: LabelStep) -> None:
    """Groups 1 read and make; depthwise ones keep the input's channels; of others each place goes in all groups."""
    source, weight, groups = step.get("input"), step.get("weight"), step.get("groups", 1)
    out, dim = step.outputs[0], source.dim() - (weight.dim() - 1)
    transposed = "output_padding" in _parameters(step)
    channels, counted = source.shape[dim], source if transposed else out
    state.count(weight, counted.numel() / max(counted.shape[dim], 1), source, out)
    reads, makes = (0, 1) if transposed else (1, 0)
    given = read_axis(state, source, dim)
    if groups == 1:
        read_into(state, given, column(state, weight, reads))
        made = column(state, weight, makes)
    elif groups == channels:
        made = _depthwise(state, weight, given, transposed=transposed)
    else:
        made = _grouped(state, weight, given, groups, transposed=transposed)
    made = make(state, made, step.get("bias"), out.shape[dim])
    _widths(state, {"in_channels": given, "out_channels": made})
    if groups > 1:
        _follow_groups(state, step, given, groups)
    carried = [layer for layer in state.layers(source) if dim not in varying(layer)]
    state.store.freeze(
        [layer for layer in carried if set(varying(layer)) - {0}], state.cause("a convolution runs over them")
    )
    kept = [spread_core(core(layer), out.shape) for layer in carried if set(varying(layer)) <= {0} and dim]
    state.set(out, (spread(made, out.shape, dim), *kept))


def embedding(state: LabelState, step: LabelStep) -> None:
    """Makes along the second dimension of its weight."""
    weight, out = step.get("weight"), step.outputs[0]
    rows = column(state, weight, 0)
    state.store.freeze((rows,), state.cause("they are entries of a vocabulary"))
    state.store.freeze(state.layers(step.get("input")), state.cause("they are read as indices"))
    made = make(state, column(state, weight, 1), None, weight.shape[1])
    _widths(state, {"embedding_dim": made})
    state.set(out, (spread(made, out.shape, out.dim() - 1),))


def product(state: LabelState, step: LabelStep) -> None:
    """A product of matrices: channels fold away where both are 0 in the same places, the others stay apart."""
    first, second = (step.get(name) for name in _FACTORS[step.call.name])
    out = step.outputs[0]
    if min(first.dim(), second.dim()) < 2:
        mix(state, step)
        return
    weight, source = (first, second) if state.name_of(first) is not None else (second, first)
    state.count(weight, out.numel() * first.shape[-1] / max(weight.numel(), 1), source, out)
    _contract(state, first, second)
    shape = torch.Size(out.shape)
    left = [_factor(layer, out.dim(), shape) for layer in state.layers(first) if _is_free(layer, -1)]
    right = [_factor(layer, out.dim(), shape) for layer in state.layers(second) if _is_free(layer, -2)]
    for tensor, layers in ((first, left), (second, right)):
        if state.is_raw(tensor):
            for layer in layers:
                state.mark(core(layer), DimensionRole.MAKES)
    state.set(out, (*left, *right))
    bias = step.get("input") if step.call.name in ("addmm", "baddbmm") else None
    if bias is not None:
        summed = LabelStep(torch.add, (bias, out), {}, step.call, step.out)
        state.set(out, unite(state, summed, [bias, out], shape, step.call.name))


_FACTORS: Final = {
    "matmul": ("input", "other"),
    "mm": ("input", "mat2"),
    "bmm": ("input", "mat2"),
    "addmm": ("mat1", "mat2"),
    "baddbmm": ("batch1", "batch2"),
}


def attention(state: LabelState, step: LabelStep) -> None:
    """The channels of values stay apart; those of queries and keys stay: the scale depends on their number."""
    query, key, value = (step.get(name) for name in ("query", "key", "value"))
    reason = state.cause("the products of attention run over them")
    for tensor in (query, key, step.get("attn_mask")):
        if isinstance(tensor, Tensor):
            state.store.freeze(state.layers(tensor), reason)
    out = step.outputs[0]
    apart = [layer for layer in state.layers(value) if set(varying(layer)) == {value.dim() - 1}]
    state.store.freeze([layer for layer in state.layers(value) if set(varying(layer)) != {value.dim() - 1}], reason)
    state.set(out, tuple(spread_core(core(layer), out.shape) for layer in apart))


def column(state: LabelState, weight: Tensor, dim: int) -> Tensor:
    """The labels of a weight along `dim`, 0 if there are none."""
    for layer in state.layers(weight):
        if dim in varying(layer):
            return state.axis(layer, dim, "a weight mixes them")
    return torch.zeros(weight.shape[dim], dtype=torch.int64)


def read_axis(state: LabelState, source: Tensor, dim: int) -> Tensor:
    """The labels of an input along `dim`; those that masking does not set to 0 stay."""
    for layer in state.layers(source):
        if dim in varying(layer):
            vector = state.axis(layer, dim, "a layer reads a part of them together")
            dirty = vector[vector < 0]
            if len(dirty):
                state.store.freeze((dirty,), state.cause("they are not 0 where they are read, masked or not"))
            return vector
    return torch.zeros(source.shape[dim], dtype=torch.int64)


def read_into(state: LabelState, given: Tensor, weight: Tensor) -> None:
    """Let what is read and the weight's positions go together."""
    state.store.merge(given, weight, state.cause("a layer reads a tensor of fixed width"))
    state.mark(weight, DimensionRole.READS)


def read(state: LabelState, source: Tensor, dim: int, weight: Tensor) -> Tensor:
    """Both in one; returns the labels of the input."""
    given = read_axis(state, source, dim)
    read_into(state, given, weight)
    return given


def make(state: LabelState, made: Tensor, bias: Tensor | None, size: int) -> Tensor:
    """The labels of an output that a weight makes, with its bias."""
    state.mark(made, DimensionRole.MAKES)
    if bias is None:
        return made
    each = column(state, bias, 0) if bias.dim() else torch.zeros(size, dtype=torch.int64)
    state.store.merge(made, each, state.cause("the bias of a layer is not a parameter"))
    state.mark(each, DimensionRole.SCALES)
    return torch.where(each > 0, made, -made.abs())


def _depthwise(state: LabelState, weight: Tensor, given: Tensor, *, transposed: bool) -> Tensor:
    """One channel in, `many` out of it."""
    cause = state.cause("a layer reads a tensor of fixed width")
    rows = column(state, weight, 0)
    many = (weight.shape[1] * len(given) if transposed else weight.shape[0]) // len(given)
    if transposed:
        state.store.merge(rows, given, cause)
        if many > 1:
            state.store.freeze((column(state, weight, 1),), state.cause("each group makes them"))
        state.mark(rows, DimensionRole.MAKES | DimensionRole.CARRIES)
        return rows.repeat_interleave(many)
    state.store.merge(rows, given.repeat_interleave(many), cause)
    state.mark(rows, DimensionRole.CARRIES)
    return rows


def _grouped(state: LabelState, weight: Tensor, given: Tensor, groups: int, *, transposed: bool) -> Tensor:
    cause = state.cause("a layer reads a tensor of fixed width")
    table = given.reshape(groups, -1)
    state.store.merge(table[:1], table, cause)
    if transposed:
        rows = column(state, weight, 0).reshape(groups, -1)
        state.store.merge(rows[:1], rows, cause)
        read_into(state, table, rows)
        return column(state, weight, 1).repeat(groups)
    read_into(state, table[0], column(state, weight, 1))
    rows = column(state, weight, 0).reshape(groups, -1)
    state.store.merge(rows[:1], rows, cause)
    return rows.reshape(-1)


def _follow_groups(state: LabelState, step: LabelStep, given: Tensor, groups: int) -> None:
    """Depthwise: the number of groups is that of channels, an attribute of the module that runs or a constant."""
    if groups != len(given):
        return
    if type(getattr(state.module, "groups", None)) is int:
        _widths(state, {"groups": given})
    else:
        state.store.freeze((given,), state.cause(f"the groups of {step.call.name} are not an attribute of its module"))


def _widths(state: LabelState, labels: dict[str, Tensor]) -> None:
    for name, each in labels.items():
        if state.module is not None:
            state.attribute(state.module, name, each)


def _parameters(step: LabelStep) -> set[str]:
    spellings = () if step.call.op is None else map(parse_spelling, step.call.op.spellings)
    return {each.name for spelling in spellings for each in spelling.parameters}


def _contract(state: LabelState, first: Tensor, second: Tensor) -> None:
    one, other = column(state, first, first.dim() - 1), column(state, second, second.dim() - 2)
    if not state.is_raw(first):
        one = read_axis(state, first, first.dim() - 1)
    if not state.is_raw(second):
        other = read_axis(state, second, second.dim() - 2)
    read_into(state, one, other)


def _is_free(layer: Tensor, dim: int) -> bool:
    return layer.dim() + dim not in varying(layer)


def _factor(layer: Tensor, dims: int, shape: torch.Size) -> Tensor:
    small = core(layer)
    while small.dim() < dims:
        small = small.unsqueeze(0)
    return small.expand(shape)
