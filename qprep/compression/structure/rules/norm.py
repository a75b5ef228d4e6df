"""Normalizations and other operations with a number for each channel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from qprep.compression.structure.labels import core, dirty, spread, spread_core, varying
from qprep.compression.structure.rules.layer import column
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.compression.structure.store import DimensionRole


def batch_norm(state: LabelState, step: LabelStep) -> None:
    """Each channel by itself; 0 where its weight and its bias are masked."""
    labels = _per_channel(state, step, ("weight", "bias"), ("running_mean", "running_var"))
    _finish(state, step, labels, _is_affine(state, step))


def instance_norm(state: LabelState, step: LabelStep) -> None:
    """Each channel by itself; without weights, 0 stays 0."""
    labels = _per_channel(state, step, ("weight", "bias"), ("running_mean", "running_var"))
    if step.get("weight") is None and step.get("use_input_stats", True):
        _finish(state, step, labels, torch.ones_like(labels, dtype=torch.bool), keeps=True)
    else:
        _finish(state, step, labels, _is_affine(state, step))


def group_norm(state: LabelState, step: LabelStep) -> None:
    """The channels of a group of the norm go together, and their group with them."""
    number = step.get("num_groups")
    labels = _per_channel(state, step, ("weight", "bias"), ())
    table = labels.reshape(number, -1)
    state.store.merge(table[:, :1], table, state.cause("a norm runs over them"))
    module = state.module
    if type(getattr(module, "num_groups", None)) is int and module is not None:
        state.attribute(module, "num_groups", table[:, 0])
        state.attribute(module, "num_channels", labels)
    else:
        state.store.freeze((labels,), state.cause("the number of groups of a norm is not an attribute of its module"))
    _finish(state, step, labels, _is_affine(state, step))


def layer_norm(state: LabelState, step: LabelStep) -> None:
    """Runs over the last dimensions: their channels stay."""
    source, out, shape = step.get("input"), step.outputs[0], step.get("normalized_shape")
    count = 1 if isinstance(shape, int) else len(shape)
    kept = [layer for layer in state.layers(source) if max(varying(layer), default=-1) < source.dim() - count]
    over = [layer for layer in state.layers(source) if max(varying(layer), default=-1) >= source.dim() - count]
    cause = state.cause(f"{step.call.name} runs over them")
    state.store.freeze(over, cause)
    for name in ("weight", "bias"):
        if isinstance(step.get(name), Tensor):
            state.store.freeze(state.layers(step.get(name)), cause)
    state.set(out, tuple(map(dirty, kept)) if step.get("bias") is not None else tuple(kept))


def prelu(state: LabelState, step: LabelStep) -> None:
    """One slope for all, or one for each channel; 0 stays 0."""
    source, slope, out = step.get("input"), step.get("weight"), step.outputs[0]
    if slope.numel() == 1:
        state.set(out, state.layers(source))
        return
    labels = _axis(state, source, 1)
    each = column(state, slope, 0)
    state.store.merge(labels, each, state.cause("a slope for each of them"))
    state.mark(each, DimensionRole.SCALES)
    _width(state, "num_parameters", labels)
    _finish(state, step, labels, torch.ones_like(labels, dtype=torch.bool), keeps=True)


def glu(state: LabelState, step: LabelStep) -> None:
    """One half times the sigmoid of the other: the same place in both goes together."""
    source, out = step.get("input"), step.outputs[0]
    dim = step.get("dim", -1) % source.dim()
    layers = []
    for layer in state.layers(source):
        if dim not in varying(layer):
            layers.append(spread_core(core(layer), out.shape))
            continue
        one, two = core(layer).chunk(2, dim)
        state.store.merge(one, two, state.cause("glu joins the halves"))
        layers.append(spread_core(one.clone(), out.shape))
    state.set(out, tuple(layers))


def pad(state: LabelState, step: LabelStep) -> None:
    """Along other dimensions the padding is in the channel next to it; along channels it is in no channel."""
    source, out = step.get("input"), step.outputs[0]
    sizes: Sequence[int] = step.get("pad")
    mode, value = step.get("mode", "constant"), step.get("value") or 0
    padded = {source.dim() - 1 - place for place in range(len(sizes) // 2) if sizes[2 * place] or sizes[2 * place + 1]}
    layers = []
    for layer in state.layers(source):
        beside = padded & set(varying(layer))
        if beside and mode != "constant":
            state.store.freeze((layer,), state.cause("pad repeats a part of them"))
            continue
        fills = bool(value) and mode == "constant" and bool(padded - beside)
        layers.append(_padded(dirty(layer) if fills else layer, sizes, beside, out))
    state.set(out, tuple(layers))


def _padded(layer: Tensor, sizes: Sequence[int], beside: set[int], out: Tensor) -> Tensor:
    small = core(layer)
    for dim in beside:
        place = layer.dim() - 1 - dim
        before, after = sizes[2 * place], sizes[2 * place + 1]
        small = torch.nn.functional.pad(small.movedim(dim, -1), (before, after)).movedim(-1, dim)
    return spread_core(small.contiguous(), out.shape)


def _per_channel(state: LabelState, step: LabelStep, parameters: Sequence[str], buffers: Sequence[str]) -> Tensor:
    """The labels of an input's channels, those of what it has for each of them with them."""
    labels = _axis(state, step.get("input"), 1)
    cause = state.cause(f"{step.call.name} takes a tensor of fixed width")
    for name in (*parameters, *buffers):
        if isinstance(step.get(name), Tensor):
            each = column(state, step.get(name), 0)
            state.store.merge(labels, each, cause)
            role = DimensionRole.SCALES if name in parameters else DimensionRole.NONE
            state.mark(each, role | DimensionRole.MULTIPLIES if name == "weight" else role)
    _width(state, "num_features", labels)
    return labels


def _axis(state: LabelState, source: Tensor, dim: int) -> Tensor:
    for layer in state.layers(source):
        if dim in varying(layer):
            return state.axis(layer, dim, "a norm takes a part of them together")
    return torch.zeros(source.shape[dim], dtype=torch.int64)


def _is_affine(state: LabelState, step: LabelStep) -> Tensor:
    """For each channel, whether masking its weight and its bias gives 0."""
    weight, bias = step.get("weight"), step.get("bias")
    size = step.get("input").shape[1]
    if not isinstance(weight, Tensor):
        return torch.zeros(size, dtype=torch.bool)
    clean = column(state, weight, 0) > 0
    return clean & (column(state, bias, 0) > 0) if isinstance(bias, Tensor) else clean


def _finish(state: LabelState, step: LabelStep, labels: Tensor, clean: Tensor, *, keeps: bool = False) -> None:
    out = step.outputs[0]
    signed = labels if keeps else torch.where(clean, labels.abs(), -labels.abs())
    state.set(out, (spread(signed, out.shape, 1),))
    others = [layer for layer in state.layers(step.get("input")) if 1 not in varying(layer)]
    state.store.freeze(others, state.cause(f"{step.call.name} runs over them"))


def _width(state: LabelState, name: str, labels: Tensor) -> None:
    if state.module is not None:
        state.attribute(state.module, name, labels)
